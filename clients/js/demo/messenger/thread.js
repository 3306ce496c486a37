/** The messages of one conversation, as far as they were fetched or have come in. */
export class Thread {
  #messages = new Map();

  constructor(conv) {
    this.conv = conv;
    /** Whether older messages may exist. */
    this.hasMore = true;
    this.isFetching = false;
  }

  get oldest() {
    return this.#messages.size ? Math.min(...this.#messages.keys()) : 0;
  }

  /** Takes messages in any order, each as often as it comes. */
  take(messages) {
    for (const message of messages) {
      this.#messages.set(message.seq, { body: {}, ...message });
    }
    for (const { kind, body } of messages) {
      if (kind === "recall") this.#recall(body?.target);
    }
  }

  /** Returns the messages in order. */
  list() {
    return [...this.#messages.values()].sort((a, b) => a.seq - b.seq);
  }

  /** Returns which of `entries` of the outbox are not among the messages yet. */
  waiting(entries) {
    const here = new Set([...this.#messages.values()].map(({ mid }) => mid));
    return entries.filter(({ conv, mid }) => conv === this.conv && !here.has(mid));
  }

  #recall(target) {
    const message = this.#messages.get(target);
    if (message) this.#messages.set(target, { ...message, recalled: true, body: {} });
  }
}
