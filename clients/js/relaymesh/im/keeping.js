/** What a device keeps over a reload, by account: its id, its position, and what is not sent yet. */
export class Keeping {
  #storage;
  #prefix;

  /** @param {Storage} storage such as `localStorage` @param {string} uid */
  constructor(storage, uid) {
    this.#storage = storage;
    this.#prefix = `relaymesh.${uid}.`;
  }

  /** Returns what was kept under `key`, or `otherwise`. */
  get(key, otherwise) {
    try {
      return JSON.parse(this.#storage.getItem(this.#prefix + key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  /** Keeps `value`; where the browser refuses, things go on without being kept. */
  set(key, value) {
    try {
      this.#storage.setItem(this.#prefix + key, JSON.stringify(value));
    } catch (error) {
      console.warn("relaymesh: not kept over a reload", error);
    }
  }
}
