/** Another token before the present one ends, on the connection that there is. */

/** Between two attempts to get a token: the server warns a minute before the end. */
const RETRY_MS = 5_000;

export class Renewal {
  #source;
  #show;
  #timer = null;
  #round = 0;

  /**
   * @param {string | (() => string | Promise<string>)} source of tokens; a plain one has no other
   * @param {(token: string) => boolean} show shows a token to the server; says whether it is one
   *   that the server has not seen yet
   */
  constructor(source, show) {
    this.#source = source;
    this.#show = show;
  }

  /** The token nears its end. */
  told() {
    this.stop();
    if (typeof this.#source === "function") this.#try(this.#round);
  }

  /** The connection has ended: the next one begins with a fresh token. */
  stop() {
    clearTimeout(this.#timer);
    this.#round += 1;
  }

  async #try(round) {
    const token = await Promise.resolve().then(this.#source).catch(() => "");
    if (round !== this.#round || (token && this.#show(token))) return;
    this.#timer = setTimeout(() => this.#try(round), RETRY_MS);
  }
}
