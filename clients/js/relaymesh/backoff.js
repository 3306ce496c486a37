/** Delays that grow, each ±50 %, so that a crowd spreads out. Milliseconds. */
export class Backoff {
  #next = 200;

  constructor(random = Math.random) {
    this.random = random;
  }

  next() {
    const delay = this.#next * (0.5 + this.random());
    this.#next = Math.min(this.#next * 1.6, 10_000);
    return delay;
  }

  settle() {
    this.#next = 200;
  }
}
