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
    if (this.missingTo || !this.#isNext(this.position, n)) {
      this.#hold(n, frame);
      return [];
    }
    this.position = n;
    return [frame];
  }

  /** Has the pages of `sync` bring what lies between the position and `to`. */
  behind(to) {
    this.missingTo = Math.max(this.missingTo, to);
  }

  /**
   * Takes a page of `sync` and returns the frames that are next. `isLast`: nothing follows it below
   * the head.
   */
  page(frames, isLast) {
    const next = [];
    for (const frame of frames) {
      if (frame.n <= this.position) continue;
      this.position = frame.n;
      next.push(frame);
    }
    if (isLast) this.position = Math.max(this.position, this.missingTo);
    if (this.position >= this.missingTo) next.push(...this.#release());
    return next;
  }

  /** Goes on after `position`, whatever came before. */
  move(position) {
    this.position = position;
    return this.position >= this.missingTo ? this.#release() : [];
  }

  /** Forgets what is held: the next connection brings it again. */
  disconnected() {
    this.#held.clear();
    this.missingTo = 0;
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
    if (!this.missingTo) this.missingTo = n - 1;
  }

  #release() {
    this.missingTo = 0;
    const held = [...this.#held].sort(([a], [b]) => a - b);
    this.#held.clear();
    return held.flatMap(([n, frame]) => this.take(n, frame));
  }
}
