/** Instant messages of one user on one device. */

import { Backoff } from "../backoff.js";
import { newId } from "../frames.js";
import { Contacts } from "./contacts.js";
import { Groups } from "./groups.js";
import { Keeping } from "./keeping.js";
import { Outbox } from "./outbox.js";
import { Reads } from "./reads.js";
import { Streams } from "./streams.js";

const OPEN_AGAIN_MS = 5_000;
const PUSHES = new Set(["typing", "receipt", "presence"]);

/**
 * Events, beside those of the client:
 * `im` {standing, error}: how this device stands to its mailbox after a (re)connect: `level`,
 * `behind` (pages follow, then what is new), `reset` (begin from `sessions`), or `away`;
 * `message` {stream, n, conv, seq, id, kind, uid, name, ts, mid, body, recalled, frame}: each once,
 * in its conversation's order; `mailboxreset` {stream}: some are missing for good, begin from
 * `sessions`; `outbox` {entry, sent, error}: an entry was added, acknowledged or refused;
 * `typing` {conv, uid, on}; `receipt` {conv, uid, seq, ts}; `presence` {uid, state, devices}.
 */
export class Messenger {
  #link;
  #keeping;
  #streams;
  #outbox;
  #reads;
  #watched = [];
  #promises = new Map();
  #againAt = Infinity;

  /** @param {{uid: string, storage?: Storage}} options @param {object} link to the client */
  constructor({ uid, storage = globalThis.localStorage }, link) {
    this.#link = link;
    this.#keeping = new Keeping(storage, uid);
    this.device = this.#keeping.get("device", "") || `web-${newId()}`;
    this.#keeping.set("device", this.device);
    this.#streams = new Streams(this.#keeping, link, (stream, frame) => {
      const { push, ...fields } = frame;
      link.events.emit("message", { body: {}, name: "", recalled: false, ...fields, stream, frame });
    });
    this.#outbox = new Outbox(this.#keeping);
    this.#reads = new Reads(link.ask);
    this.contacts = new Contacts(link.ask);
    this.groups = new Groups(link.ask);
  }

  /**
   * Says something: `{text, data, mentions, mention_all, attachments, reply_to}`, or some of it.
   * It is kept at once and sent until it is answered, after a reload too. The promise is that of
   * the answer `{conv, seq, id, ts, mid}`.
   */
  send(conv, fields, { mid = newId() } = {}) {
    const entry = { conv, mid, ts: Date.now(), fields };
    this.#outbox.add(entry);
    const answer = new Promise((resolve, reject) => this.#promises.set(mid, { resolve, reject }));
    // Whoever listens to `outbox` alone has no use for the promise.
    answer.catch(() => {});
    this.#link.events.emit("outbox", { entry, sent: null, error: null });
    this.#link.tick();
    return answer;
  }

  /** @returns {import("./outbox.js").Entry[]} what is not acknowledged yet, oldest first */
  get waiting() {
    return this.#outbox.entries;
  }

  /** Takes a message back. */
  recall(conv, seq) {
    return this.#link.ask("recall", { conv, seq });
  }

  /** Says that `conv` was read up to `seq`; told until it is answered. */
  read(conv, seq) {
    this.#reads.read(conv, seq);
  }

  /** Says that the user types, or has stopped; nothing that is offline is told later. */
  typing(conv, on = true) {
    this.#link.tell({ op: "typing", id: this.#link.requests.nextId(), conv, on });
  }

  /** Returns the `limit` messages before `before` (0: the newest), or after `after`. */
  history(conv, { before = 0, after, limit = 50 } = {}) {
    const from = after === undefined ? { before } : { after };
    return this.#link.ask("history", { conv, limit, ...from });
  }

  /** Returns a page of the session list, the latest activity first. */
  sessions({ limit = 50, cursor = "" } = {}) {
    return this.#link.ask("sessions", { limit, cursor });
  }

  /** Sets `muted`, `pinned` or `hidden` of a conversation. */
  sessionSet(conv, fields) {
    return this.#link.ask("session_set", { conv, ...fields });
  }

  /** Is told of the presence of exactly these friends, over reconnects. `refused` of the answer
   * names those who are none. */
  watch(uids) {
    this.#watched = uids;
    return this.#link.ask("watch", { uids }).catch(() => {});
  }

  // --- what the client calls

  greeting() {
    return { device: this.device, ...this.#streams.positions() };
  }

  greeted(answer, now) {
    if (!answer || answer.error) return this.#away(answer?.error, now);
    this.#againAt = Infinity;
    const standing = this.#streams.opened(answer);
    this.#link.events.emit("im", { standing, error: null });
    if (standing === "reset") this.#link.events.emit("mailboxreset", { stream: "mailbox" });
    if (this.#watched.length) this.watch(this.#watched);
  }

  /** Takes a push; says whether it was one of instant messages. */
  took(frame) {
    if (Number.isInteger(frame.n) && typeof frame.stream === "string") this.#streams.take(frame);
    else if (PUSHES.has(frame.push)) this.#link.events.emit(frame.push, frame);
    else return false;
    return true;
  }

  disconnected() {
    this.#streams.disconnected();
    this.#againAt = Infinity;
  }

  work(now) {
    this.#streams.acknowledge(now);
    for (const entry of this.#outbox.next()) this.#post(entry);
  }

  /** Has the client connect anew where the cluster could not open the mailbox. */
  reopen(now) {
    if (now < this.#againAt) return;
    this.#againAt = Infinity;
    this.#link.again("instant messages are away");
  }

  flush() {
    this.#streams.flush();
  }

  get nextDue() {
    return Math.min(this.#streams.nextDue, this.#againAt);
  }

  #away(error, now) {
    this.#againAt = now + Math.max(OPEN_AGAIN_MS, error?.retry_after_ms ?? 0) * (1 + Math.random());
    this.#link.events.emit("im", { standing: "away", error: error ?? null });
  }

  #post(entry) {
    const { conv, mid, fields } = entry;
    this.#link.requests.add("send", { conv, mid, ...fields }, {
      giveUpMs: Infinity,
      backoff: new Backoff(),
      resolve: (sent) => this.#settled(entry, sent, null),
      reject: (error) => this.#failed(entry, error),
    });
  }

  /** A client that is closed keeps what it has not sent. */
  #failed(entry, error) {
    if (error.name === "Closed") this.#promises.get(entry.mid)?.reject(error);
    else this.#settled(entry, null, error);
  }

  #settled(entry, sent, error) {
    this.#outbox.answered(entry.mid);
    const promise = this.#promises.get(entry.mid);
    this.#promises.delete(entry.mid);
    if (sent) promise?.resolve(sent);
    else promise?.reject(error);
    this.#link.events.emit("outbox", { entry, sent, error });
    this.#link.tick();
  }
}
