/** How far conversations were read, told once each however often it changes meanwhile. */
export class Reads {
  #ask;
  #wanted = new Map();
  #onTheirWay = new Set();

  constructor(ask) {
    this.#ask = ask;
  }

  read(conv, seq) {
    if (seq <= (this.#wanted.get(conv) ?? 0)) return;
    this.#wanted.set(conv, seq);
    if (!this.#onTheirWay.has(conv)) this.#tell(conv);
  }

  async #tell(conv) {
    const seq = this.#wanted.get(conv);
    this.#onTheirWay.add(conv);
    try {
      await this.#ask("read", { conv, seq }, { giveUpMs: Infinity });
    } catch {
      // The next message that is read says it again.
    }
    this.#onTheirWay.delete(conv);
    if (this.#wanted.get(conv) > seq) this.#tell(conv);
  }
}
