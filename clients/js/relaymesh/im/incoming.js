/** The receiving end of a numbered stream: the mailbox, or a hot group's. */

const MAX_HELD = 1000;

/** In the mailbox each number is there. */
export const everyNumber = (position, n) => n === position + 1;
/** A hot stream has the numbers of the group's messages, and gaps where it was not hot. */
export const risingNumbers = (position, n) => n > position;

/**
 * Gives each message once and in order: what was seen is passed over, what stands behind a gap is
 * held until the pages of `sync` have come up to it.
 */
export class Incoming {
  #isNext;
  #held = new Map();
  #isPaused = false;

  /** @param {number} position the last number that is taken */
  constructor(position, isNext) {
    this.position = position;
    this.#isNext = isNext;
    /** The last number that `sync` has to bring; 0 while nothing is missing. */
    this.missingTo = 0;
  }

  /** Takes number `n`; returns the frames that are next, in order. */
  take(n, frame) {
    if (n <= this.position) return [];
    if (this.#isPaused || this.missingTo || !this.#isNext(this.position, n)) {
      this.#hold(n, frame);
      return [];
    }
    this.position = n;
    return [frame];
  }

  /** Has the pages of `sync` bring what lies between `position` and `to`. */
  behind(to, position = this.position) {
    this.position = position;
    this.missingTo = Math.max(this.missingTo, to);
  }

  /** Holds all that comes: another stream has to be whole first. */
  pause() {
    this.#isPaused = true;
  }

  /** Goes on; returns the frames that are next. */
  resume() {
    this.#isPaused = false;
    return this.#release();
  }

  /** Goes on after `position`; returns what was held, if nothing is missing before it. */
  move(position) {
    this.position = Math.max(this.position, position);
    return this.#release();
  }

  /** Forgets what is held: the next connection brings it again. */
  disconnected() {
    this.#held.clear();
    this.missingTo = 0;
    this.#isPaused = false;
  }

  /** Returns the `n` and `also` of an `ack`. */
  acknowledgement(maxRanges = 32) {
    const also = [];
    for (const n of [...this.#held.keys()].sort((a, b) => a - b)) {
      const last = also.at(-1);
      if (last && last[1] + 1 === n) last[1] = n;
      else also.push([n, n]);
    }
    return also.length ? { n: this.position, also: also.slice(0, maxRanges) } : { n: this.position };
  }

  #hold(n, frame) {
    // What is not held is not acknowledged, and comes again.
    if (this.#held.size < MAX_HELD) this.#held.set(n, frame);
    if (!this.missingTo && !this.#isPaused) this.missingTo = n - 1;
  }

  #release() {
    if (this.position >= this.missingTo) this.missingTo = 0;
    if (this.missingTo || this.#isPaused) return [];
    const held = [...this.#held].sort(([a], [b]) => a - b);
    this.#held.clear();
    return held.flatMap(([n, frame]) => this.take(n, frame));
  }
}
