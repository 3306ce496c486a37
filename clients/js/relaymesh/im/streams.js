/** The mailbox and the hot streams of one device: positions, order between them, and acks. */

import { everyNumber, Incoming, risingNumbers } from "./incoming.js";
import { hotGroup, hotStream, MAILBOX } from "./names.js";
import { Pages } from "./pages.js";

const ACK_MS = 50;
const MAX_HOT_PER_HELLO = 200;

export class Streams {
  #keeping;
  #link;
  #took;
  #pages;
  #epoch = "";
  /** @type {Map<string, Incoming>} */
  #streams = new Map();
  /** Highest number of each conversation: the same message may come by the mailbox and hot. */
  #newest = new Map();
  /** The same of groups for as long as they are hot. */
  #hotSeq = new Map();
  #unacknowledged = new Set();
  #ackAt = Infinity;
  #connection = 0;

  /**
   * @param {import("./keeping.js").Keeping} keeping
   * @param {{requests: object, tell: (frame: object) => void, events: object, tick: () => void}} link
   * @param {(stream: string, frame: object) => void} took takes each message once, in order
   */
  constructor(keeping, link, took) {
    this.#keeping = keeping;
    this.#link = link;
    this.#took = took;
    const add = (...request) => {
      link.requests.add(...request);
      link.tick();
    };
    this.#pages = new Pages(add, (name, frames) => this.#deliver(name, frames), this.#hotSeq);
    const { epoch = "", n = null, hot = {} } = keeping.get("position", {});
    this.#epoch = epoch;
    if (n !== null) this.#streams.set(MAILBOX, new Incoming(n, everyNumber));
    for (const [conv, at] of Object.entries(hot)) {
      this.#streams.set(hotStream(conv), new Incoming(at, risingNumbers));
      this.#hotSeq.set(conv, at);
    }
  }

  /** Returns how far this device has its streams, for `hello`. */
  positions() {
    const mailbox = this.#streams.get(MAILBOX);
    if (!mailbox) return {};
    const hot = this.#hotPositions().slice(-MAX_HOT_PER_HELLO);
    return { epoch: this.#epoch, since: mailbox.position, hot: Object.fromEntries(hot) };
  }

  /** Takes the answer to `hello.im`; returns how the device stands. */
  opened({ epoch, head, start, standing, hot = {} }) {
    this.#connection += 1;
    const isReset = standing === "reset" || (this.#epoch !== "" && epoch !== this.#epoch);
    this.#epoch = epoch;
    if (isReset) this.#begin();
    const late = Object.entries(hot).filter(([conv, at]) => this.#isLate(hotStream(conv), at.start));
    // Pages of a hot stream must not overtake what the mailbox would push before them.
    this.#open(MAILBOX, everyNumber, start, late.length ? head : start);
    for (const [conv, at] of Object.entries(hot)) {
      this.#open(hotStream(conv), risingNumbers, at.start);
    }
    this.#keep();
    this.#catchUp();
    return isReset ? "reset" : standing;
  }

  /** Takes a numbered frame. */
  take(frame) {
    const stream = this.#streams.get(frame.stream) ?? this.#begun(frame);
    const wasWhole = !stream.missingTo;
    const frames = stream.take(frame.n, frame);
    this.#deliver(frame.stream, frames);
    if (wasWhole && stream.missingTo) this.#catchUp();
    else if (frame.stream === MAILBOX && frames.some(beginsHot)) this.#catchUpHot();
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

  #hotEntries() {
    return [...this.#streams].filter(([name]) => name !== MAILBOX);
  }

  #hotPositions() {
    return this.#hotEntries().map(([name, { position }]) => [hotGroup(name), position]);
  }

  #begin() {
    this.#streams.clear();
    this.#newest.clear();
    this.#hotSeq.clear();
  }

  /** A stream that this device does not know begins where the server says. */
  #open(name, isNext, start, to = start) {
    const stream = this.#streams.get(name) ?? new Incoming(start, isNext);
    this.#streams.set(name, stream);
    if (stream.position < to) stream.behind(to);
  }

  /** Says whether a stream that begins after `start` may have something before that. */
  #isLate(name, start) {
    const stream = this.#streams.get(name);
    return !stream || stream.position < start;
  }

  /** A group that has just become hot begins with what comes. */
  #begun(frame) {
    const isNext = frame.stream === MAILBOX ? everyNumber : risingNumbers;
    const stream = new Incoming(frame.n - 1, isNext);
    if (this.#streams.get(MAILBOX)?.missingTo) stream.pause();
    this.#streams.set(frame.stream, stream);
    return stream;
  }

  /** Brings what is missing: of the mailbox first, which the hot streams wait for. */
  async #catchUp() {
    const mailbox = this.#streams.get(MAILBOX);
    if (mailbox.missingTo) {
      for (const [, stream] of this.#hotEntries()) stream.pause();
      if (!(await this.#bring(MAILBOX, mailbox))) return;
    }
    this.#catchUpHot();
  }

  /** Brings what is missing of the hot streams; the mailbox waits, whose next may come after it. */
  async #catchUpHot() {
    const brought = [];
    for (const [name, stream] of this.#hotEntries()) {
      // The mailbox has told since when a group is hot that was hot already.
      const from = this.#hotSeq.get(hotGroup(name)) ?? stream.position;
      if (from < stream.position) stream.behind(stream.position, from);
      this.#deliver(name, stream.resume());
      if (stream.missingTo) brought.push(this.#bring(name, stream));
    }
    if (!brought.length) return;
    const mailbox = this.#streams.get(MAILBOX);
    mailbox.pause();
    const stands = await Promise.all(brought);
    if (stands.every(Boolean)) this.#resume(mailbox);
  }

  #resume(mailbox) {
    const frames = mailbox.resume();
    this.#deliver(MAILBOX, frames);
    this.#owe(MAILBOX);
    this.#link.tick();
    if (mailbox.missingTo) this.#catchUp();
    else if (frames.some(beginsHot)) this.#catchUpHot();
  }

  /** Says whether the connection still stands. */
  async #bring(name, stream) {
    const connection = this.#connection;
    let isMissing = false;
    try {
      isMissing = await this.#pages.bring(name, stream);
    } catch (error) {
      if (error.name === "Closed") return false;
      // What lies between can't be had: the application begins from the session list.
      isMissing = true;
    }
    if (connection !== this.#connection) return false;
    this.#deliver(name, stream.move(stream.missingTo));
    this.#owe(name);
    if (isMissing) this.#link.events.emit("mailboxreset", { stream: name });
    this.#link.tick();
    return true;
  }

  #deliver(name, frames) {
    for (const frame of frames) {
      const { conv, seq } = frame;
      const hot = name === MAILBOX ? beginsHot(frame) : [conv, seq];
      if (hot) this.#hotSeq.set(...hot);
      else this.#hotSeq.delete(conv);
      if (seq <= (this.#newest.get(conv) ?? 0)) continue;
      this.#newest.set(conv, seq);
      this.#took(name, frame);
    }
  }

  #owe(name) {
    this.#unacknowledged.add(name);
    this.#ackAt = Math.min(this.#ackAt, performance.now() + ACK_MS);
  }

  #keep() {
    const hot = Object.fromEntries(this.#hotPositions());
    const { position: n } = this.#streams.get(MAILBOX);
    this.#keeping.set("position", { epoch: this.#epoch, n, hot });
  }
}

/** Returns the group whose hot stream begins with a message of the mailbox, and after which `seq`. */
function beginsHot({ conv, seq, kind, body }) {
  if (kind === "hot") return [conv, seq];
  return kind === "group_joined" && body?.hot === true ? [body.conv, body.joined - 1] : null;
}
