/** Contacts, and who of them is there. */
export class People {
  #contacts = new Map();
  #presence = new Map();

  load(contacts) {
    this.#contacts = new Map(contacts.map((contact) => [contact.uid, contact]));
  }

  /** Uids of friends. */
  get friends() {
    return this.#inState("friend");
  }

  /** Uids of those who ask to become friends. */
  get asking() {
    return this.#inState("asking");
  }

  /** Uids of those who were asked. */
  get asked() {
    return this.#inState("asked");
  }

  took({ uid, state, devices }) {
    this.#presence.set(uid, { state, seenMs: Math.max(0, ...devices.map((each) => each.seen_ms)) });
  }

  /** While one is offline oneself, nothing is known of others. */
  forgetPresence() {
    this.#presence.clear();
  }

  presence(uid) {
    return this.#presence.get(uid) ?? { state: "unknown", seenMs: 0 };
  }

  #inState(state) {
    return [...this.#contacts.values()].filter((each) => each.state === state && !each.blocked).map(({ uid }) => uid);
  }
}
