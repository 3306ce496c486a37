/** Rates a second, from counters looked at again and again. */

const OVER_S = 4;
/** Rates are averages over so long: nodes speak once a second, and pings come as they please. */

export class Rates {
  #looks = new Map();

  /**
   * Takes `counts` as they stood at `atS`, seconds of the counting node's own clock, and returns how
   * fast each grows. `life` is the node's: another one begins at zero again, and the first look at it
   * has no rates.
   */
  look(key, life, atS, counts) {
    const before = this.#looks.get(key);
    const past = before?.life === life ? before.past : [];
    if (past.at(-1)?.atS !== atS) past.push({ atS, counts });
    while (past.length > 2 && past[1].atS <= atS - OVER_S) past.shift();
    this.#looks.set(key, { life, past });
    return past.length > 1 ? growth(past) : {};
  }

  /** Forgets all but `keys`. */
  retain(keys) {
    for (const key of this.#looks.keys()) if (!keys.has(key)) this.#looks.delete(key);
  }
}

function growth(past) {
  const seconds = past.at(-1).atS - past[0].atS;
  return Object.fromEntries(Object.keys(past[0].counts).map((name) => [name, grown(past, name) / seconds]));
}

/** A counter of a link begins anew with each connection. */
function grown(past, name) {
  return past.slice(1).reduce((total, { counts }, index) => {
    const [then, now] = [past[index].counts[name], counts[name]];
    return total + (now < then ? now : now - then);
  }, 0);
}
