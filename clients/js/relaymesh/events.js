/** Listeners by type of event. */
export class Events {
  #listeners = new Map();

  /** Calls `listener` with the detail of each event of `type`; returns a function that stops it. */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  emit(type, detail) {
    for (const listener of this.#listeners.get(type) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        // One listener's mistake must not cost the others, or the stream, its message.
        console.error(error);
      }
    }
  }
}
