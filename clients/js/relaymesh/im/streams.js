/** The mailbox and the hot streams of one device: positions, acks, and pages of what was missed. */

import { Backoff } from "../backoff.js";
import { everyNumber, Incoming, risingNumbers } from "./incoming.js";

const MAILBOX = "mailbox";
const HOT = "hot:";
const ACK_MS = 50;
const SYNC_PAGE = 200;
const MAX_HOT_PER_HELLO = 200;

export class Streams {
  #keeping;
  #link;
  #took;
  #epoch = "";
  /** @type {Map<string, Incoming>} */
  #streams = new Map();
  /** Highest number of each conversation: the same message may come by the mailbox and hot. */
  #newest = new Map();
  #unacknowledged = new Set();
  #ackAt = Infinity;
  #connection = 0;

  /**
   * @param {import("./keeping.js").Keeping} keeping
   * @param {{requests: object, tell: (frame: object) => void, events: object}} link
   * @param {(stream: string, frame: object) => void} took takes each message once, in order
   */
  constructor(keeping, link, took) {
    this.#keeping = keeping;
    this.#link = link;
    this.#took = took;
    const { epoch = "", n = null, hot = {} } = keeping.get("position", {});
    this.#epoch = epoch;
    if (n !== null) this.#streams.set(MAILBOX, new Incoming(n, everyNumber));
    for (const [conv, at] of Object.entries(hot)) {
      this.#streams.set(HOT + conv, new Incoming(at, risingNumbers));
    }
  }

  /** Returns how far this device has its streams, for `hello`. */
  positions() {
    const mailbox = this.#streams.get(MAILBOX);
    if (!mailbox) return {};
    const hot = this.#hotStreams().slice(-MAX_HOT_PER_HELLO);
    const at = hot.map(([name, stream]) => [name.slice(HOT.length), stream.position]);
    return { epoch: this.#epoch, since: mailbox.position, hot: Object.fromEntries(at) };
  }

  /** Takes the answer to `hello.im`. */
  opened({ epoch, head, start, standing, hot = {} }) {
    this.#connection += 1;
    const isReset = standing === "reset" || (this.#epoch !== "" && epoch !== this.#epoch);
    this.#epoch = epoch;
    if (isReset) this.#begin(start);
    else this.#resume(MAILBOX, everyNumber, start);
    for (const [conv, at] of Object.entries(hot)) {
      this.#resume(HOT + conv, risingNumbers, at.start);
    }
    this.#keep();
    return isReset ? "reset" : standing;
  }

  /** Takes a numbered frame. */
  take(frame) {
    const stream = this.#streams.get(frame.stream) ?? this.#begun(frame);
    const wasWhole = !stream.missingTo;
    this.#deliver(frame.stream, stream.take(frame.n, frame));
    if (wasWhole && stream.missingTo) this.#sync(frame.stream, stream);
    this.#owe(frame.stream);
  }

  disconnected() {
    this.#connection += 1;
    this.#unacknowledged.clear();
    this.#ackAt = Infinity;
    this.#link.requests.forget((stream) => stream instanceof Incoming);
    for (const stream of this.#streams.values()) stream.disconnected();
  }

  /** Sends what acks are due. */
  acknowledge(now) {
    if (now < this.#ackAt || !this.#unacknowledged.size) return;
    this.#keep();
    for (const name of this.#unacknowledged) {
      const stream = this.#streams.get(name);
      this.#link.tell({ op: "ack", stream: name, ...stream.acknowledgement() });
    }
    this.#unacknowledged.clear();
    this.#ackAt = Infinity;
  }

  get nextDue() {
    return this.#ackAt;
  }

  /** Sends the acks that wait, at once. */
  flush() {
    this.acknowledge(Infinity);
  }

  #hotStreams() {
    return [...this.#streams].filter(([name]) => name !== MAILBOX);
  }

  #begin(start) {
    this.#streams.clear();
    this.#newest.clear();
    this.#streams.set(MAILBOX, new Incoming(start, everyNumber));
  }

  /** A device that has less than the server goes on from pages in what lies between. */
  #resume(name, isNext, start) {
    const stream = this.#streams.get(name) ?? new Incoming(start, isNext);
    this.#streams.set(name, stream);
    if (stream.position >= start) return;
    stream.behind(start);
    this.#sync(name, stream);
  }

  /** A group that has just become hot begins with what comes. */
  #begun(frame) {
    const isNext = frame.stream === MAILBOX ? everyNumber : risingNumbers;
    const stream = new Incoming(frame.n - 1, isNext);
    this.#streams.set(frame.stream, stream);
    return stream;
  }

  /** Asks for the next page; no time-out ends this, only the connection. */
  #sync(name, stream) {
    const connection = this.#connection;
    const fields = { stream: name, since: stream.position, limit: SYNC_PAGE };
    this.#link.requests.add("sync", fields, {
      giveUpMs: Infinity,
      stream,
      backoff: new Backoff(),
      resolve: (ok) => connection === this.#connection && this.#page(name, stream, ok),
      reject: (error) => connection === this.#connection && this.#astray(name, stream, error),
    });
  }

  #page(name, stream, { epoch, oldest, frames }) {
    const isAnother = name === MAILBOX && epoch !== undefined && epoch !== this.#epoch;
    if (isAnother) return this.#astray(name, stream, new Error("another epoch"));
    const isTrimmed = name === MAILBOX && oldest > stream.position + 1;
    if (isTrimmed) this.#deliver(name, stream.move(oldest - 1));
    this.#deliver(name, stream.page(frames, frames.length < SYNC_PAGE));
    if (stream.missingTo) this.#sync(name, stream);
    this.#owe(name);
    if (isTrimmed) this.#link.events.emit("mailboxreset", { stream: name });
  }

  /** What lies between can't be had: the application begins from the session list. */
  #astray(name, stream, error) {
    if (error.name === "Closed") return;
    this.#deliver(name, stream.move(Math.max(stream.position, stream.missingTo)));
    this.#owe(name);
    this.#link.events.emit("mailboxreset", { stream: name });
  }

  #deliver(name, frames) {
    for (const frame of frames) {
      if (frame.seq <= (this.#newest.get(frame.conv) ?? 0)) continue;
      this.#newest.set(frame.conv, frame.seq);
      this.#took(name, frame);
    }
  }

  #owe(name) {
    this.#unacknowledged.add(name);
    this.#ackAt = Math.min(this.#ackAt, performance.now() + ACK_MS);
  }

  #keep() {
    const mailbox = this.#streams.get(MAILBOX);
    const hot = this.#hotStreams().map(([name, { position }]) => [name.slice(HOT.length), position]);
    const position = { epoch: this.#epoch, n: mailbox.position, hot: Object.fromEntries(hot) };
    this.#keeping.set("position", position);
  }
}
