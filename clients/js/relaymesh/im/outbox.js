/** Messages that are not acknowledged yet, in the order written, kept over a reload. */

const MAX_ENTRIES = 1000;

/** @typedef {{conv: string, mid: string, ts: number, fields: object}} Entry */

export class Outbox {
  #keeping;
  /** @type {Entry[]} */
  #entries;
  #onTheirWay = new Set();

  constructor(keeping) {
    this.#keeping = keeping;
    this.#entries = keeping.get("outbox", []);
  }

  /** @returns {Entry[]} what waits, oldest first */
  get entries() {
    return [...this.#entries];
  }

  /** Adds a message; raises `Error` where as many wait as may. @param {Entry} entry */
  add(entry) {
    if (this.#entries.length >= MAX_ENTRIES) throw new Error(`${MAX_ENTRIES} messages wait already`);
    this.#entries.push(entry);
    this.#keep();
  }

  /**
   * Returns those that go up now: of each conversation the oldest. The next leaves when it is
   * answered, so that they are numbered in the order written.
   */
  next() {
    const seen = new Set();
    const due = this.#entries.filter(({ conv, mid }) => {
      const isFirst = !seen.has(conv);
      seen.add(conv);
      return isFirst && !this.#onTheirWay.has(mid);
    });
    for (const { mid } of due) this.#onTheirWay.add(mid);
    return due;
  }

  /** Takes the answer to `mid`, whichever. */
  answered(mid) {
    this.#onTheirWay.delete(mid);
    this.#entries = this.#entries.filter((entry) => entry.mid !== mid);
    this.#keep();
  }

  #keep() {
    this.#keeping.set("outbox", this.#entries);
  }
}
