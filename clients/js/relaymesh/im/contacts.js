/** Friends, requests and blocks. Each answer is the `ok` of docs/protocol.md. */
export class Contacts {
  #ask;

  constructor(ask) {
    this.#ask = ask;
  }

  request(uid, text = "") {
    return this.#ask("friend_request", { uid, text });
  }

  accept(uid) {
    return this.#ask("friend_accept", { uid });
  }

  decline(uid) {
    return this.#ask("friend_decline", { uid });
  }

  remove(uid) {
    return this.#ask("friend_remove", { uid });
  }

  block(uid) {
    return this.#ask("block", { uid });
  }

  unblock(uid) {
    return this.#ask("unblock", { uid });
  }

  /** Returns a page, by uid. */
  page({ limit = 100, cursor = "" } = {}) {
    return this.#ask("contacts", { limit, cursor });
  }
}
