/** Who types where, by what was heard in the last seconds. */

const HEARD_MS = 6_000;
const SAY_EVERY_MS = 3_000;

export class Typing {
  #heard = new Map();
  #changed;

  /** @param {() => void} changed called when somebody has stopped without a word */
  constructor(changed) {
    this.#changed = changed;
  }

  took({ conv, uid, on }) {
    const here = this.#heard.get(conv) ?? new Map();
    this.#heard.set(conv, here);
    clearTimeout(here.get(uid));
    here.delete(uid);
    if (on) here.set(uid, setTimeout(() => this.stopped(conv, uid), HEARD_MS));
  }

  /** Takes that `uid` has stopped: a message came, or nothing more. */
  stopped(conv, uid) {
    const here = this.#heard.get(conv);
    clearTimeout(here?.get(uid));
    if (here?.delete(uid)) this.#changed();
  }

  /** Returns who types in `conv`, or null. */
  in(conv) {
    const here = this.#heard.get(conv);
    return here?.size ? [...here.keys()] : null;
  }
}

/** Tells the others that one types: now and then while it lasts, and when it ends. */
export class OwnTyping {
  #say;
  #conv = "";
  #saidAt = 0;

  constructor(say) {
    this.#say = say;
  }

  typed(conv) {
    if (conv === this.#conv && Date.now() - this.#saidAt < SAY_EVERY_MS) return;
    this.#conv = conv;
    this.#saidAt = Date.now();
    this.#say(conv, true);
  }

  /** A message that is sent says it by itself. */
  sent() {
    this.#conv = "";
  }

  stopped() {
    if (this.#conv) this.#say(this.#conv, false);
    this.#conv = "";
  }
}
