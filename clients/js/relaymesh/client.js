/** One user's connection to the cluster: rooms, likes, and (`im`) instant messages. */

import { Connection } from "./connection.js";
import { Closed } from "./errors.js";
import { Events } from "./events.js";
import { newId } from "./frames.js";
import { Messenger } from "./im/messenger.js";
import { LikeMerger } from "./likes.js";
import { Requests } from "./requests.js";
import { Rooms } from "./rooms.js";

const KNOWN_DIRECTS = 1000;
/** The server knows a room's `mid` for five minutes: nothing is repeated for longer than this. */
const REPEAT_WITHIN_MS = 240_000;

/**
 * @typedef {import("./endpoints.js").Endpoint} Endpoint
 * @typedef {{room: string, priority: string, epoch: string, seq: number, ts: number, mid: string}}
 *   Published
 */

/**
 * Events (`on(type, listener)`, the listener takes the detail):
 * `push` {room, kind, priority, epoch, seq, frame}, `skipped` and `lost` {room, priority, epoch,
 * first, last}, `reset` {room, priority, old, new}, `joined` (the answer to join, and `resumed`),
 * `left` {room, error}, `direct` {mid, data, frame}, `connected` {uid, node, session},
 * `disconnected` {code, reason, reconnecting, retryMs}, `moved` {room, oldNode, newNode, gapMs} when
 * the cluster has moved it to another node, because of a hot room or ("") since the old one ends,
 * `closed` {error}; those of instant messages are at `Messenger`.
 */
export class RelaymeshClient {
  #events = new Events();
  #connection;
  #requests;
  #rooms;
  #likes = new LikeMerger();
  #directs = new Set();
  #timer = null;
  #closed = null;

  /** Likes that were sent and may or may not have been counted: a connection broke. */
  uncertainLikes = 0;

  /** @type {Messenger | null} instant messages, where the options ask for them */
  im = null;

  /**
   * @param {object} options
   * @param {string} [options.gateway] base URL of the gateway, asked before each connection
   * @param {Endpoint[]} [options.endpoints] instead of a gateway: where to connect
   * @param {string | (() => string | Promise<string>)} options.token a token, or a function that
   *   gives a fresh one for each connection
   * @param {string} [options.client] name and version, at most 64 characters
   * @param {(endpoints: Endpoint[]) => Endpoint[]} [options.prefer] reorders or filters endpoints
   * @param {{uid: string, storage?: Storage}} [options.im] turns instant messages on: the token's
   *   user, and where this device keeps its id, position and outbox (`localStorage`)
   */
  constructor(options) {
    if (!options.gateway && !options.endpoints?.length) {
      throw new TypeError("give a gateway, or endpoints");
    }
    const send = (text) => this.#connection.send(text);
    this.#requests = new Requests(send, (room) => this.#rooms.maySend(room));
    this.#rooms = new Rooms(this.#requests, this.#events, send);
    if (options.im) this.im = this.#messenger(options.im);
    const defaults = { client: "relaymesh-js/0.2", prefer: (endpoints) => endpoints };
    this.#connection = new Connection({ ...defaults, ...options }, this.#owner());
  }

  /** Calls `listener` with the detail of each event of `type`; returns a function that stops it. */
  on(type, listener) {
    return this.#events.on(type, listener);
  }

  /** Joins `room` and stays in it over reconnects. @returns {Promise<object>} the answer */
  join(room, { history = 0, timeoutMs = 30_000 } = {}) {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#rooms.has(room)) return Promise.reject(new Error(`${room} is joined already`));
    const answer = this.#rooms.add(room, history, performance.now() + timeoutMs);
    this.#tick();
    return answer;
  }

  /** Leaves `room` and does not come back to it. */
  async leave(room) {
    this.#likes.discard(room);
    const isKnownThere = this.#rooms.remove(room);
    if (this.#connection.ready && isKnownThere) await this.#ask("leave", { room });
  }

  /** Says `text` in `room`: one message, however often it has to be sent. @returns {Promise<Published>} */
  chat(room, text, options) {
    return this.#publish("chat", { room, text }, options);
  }

  /** Says `text` as a host of `room`. @returns {Promise<Published>} */
  speech(room, text, options) {
    return this.#publish("speech", { room, text }, options);
  }

  /**
   * Gives a gift; the server decides by its value whether it is urgent. `receipt` is your back
   * end's proof that just this was paid for, good for one gift. @returns {Promise<Published>}
   */
  gift(room, { gift, value, count = 1, text = "", receipt }, options) {
    return this.#publish("gift", { room, gift, value, count, text, receipt }, options);
  }

  /**
   * Moderates `room`: `action` is `mute`, `unmute`, `ban`, `unban`, `kick`, `grant` (`role`) or
   * `revoke_role` of `uid`, or `slow` (`intervalS`) or `unslow` of the room; `forS` is how long it
   * lasts in seconds, 0 for good.
   */
  moderate(room, { action, uid, forS = 0, intervalS, role, reason = "" }, options) {
    const fields = { room, action, uid, for_s: forS, interval_s: intervalS, role, reason };
    return this.#publish("moderate", fields, options);
  }

  /** Likes `room` `count` times more; sent merged, never counted twice. */
  like(room, count = 1) {
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`count must be at least 1`);
    if (this.#closed) return;
    this.#likes.add(room, count, performance.now());
    this.#tick();
  }

  /** Returns messages `from`..`to` of a stream, at most 200, as far as the log has them. */
  fetch(room, priority, epoch, from, to) {
    return this.#ask("fetch", { room, priority, epoch, from, to });
  }

  /** Returns the milliseconds that a ping to the access node and back took. */
  async ping() {
    const began = performance.now();
    await this.#ask("ping", {});
    return performance.now() - began;
  }

  /** Ends the connection for good. */
  close() {
    this.#end(new Closed("the client is closed", 1000));
  }

  #publish(op, fields, { mid = newId(), timeoutMs = 60_000 } = {}) {
    const giveUpMs = Math.min(timeoutMs, REPEAT_WITHIN_MS);
    return this.#ask(op, { ...fields, mid }, { giveUpMs });
  }

  #ask(op, fields, options) {
    if (this.#closed) return Promise.reject(this.#closed);
    const answer = this.#requests.ask(op, fields, options);
    this.#tick();
    return answer;
  }

  #messenger(options) {
    return new Messenger(options, {
      events: this.#events,
      requests: this.#requests,
      ask: (...request) => this.#ask(...request),
      tell: (frame) => this.#connection.ready && this.#connection.send(JSON.stringify(frame)),
      again: (reason) => this.#connection.again(reason),
      tick: () => this.#tick(),
    });
  }

  #owner() {
    return {
      nextId: () => this.#requests.nextId(),
      room: () => this.#rooms.first,
      greeting: (first) => this.#greeting(first),
      wants: (room) => this.#rooms.has(room),
      greeted: (ok, now) => this.#greeted(ok, now),
      took: (frame, now) => this.#took(frame, now),
      cut: (now) => this.#cut(now),
      moved: (detail) => this.#events.emit("moved", detail),
      disconnected: (detail) => this.#events.emit("disconnected", detail),
      ended: (error) => this.#end(error),
      tick: () => this.#tick(),
    };
  }

  #greeting(first) {
    return { join: this.#rooms.specs(first), ...(this.im && { im: this.im.greeting() }) };
  }

  #greeted(ok, now) {
    this.#events.emit("connected", { uid: ok.uid, node: ok.node, session: ok.session });
    this.#rooms.greeted(ok.rooms ?? {}, now);
    this.im?.greeted(ok.im, now);
  }

  #took(frame, now) {
    if ("reply" in frame) {
      if (!this.#rooms.replied(frame, now)) this.#requests.answered(frame, now);
    } else if (frame.push === "direct") this.#direct(frame);
    else if (frame.push === "removed") this.#removed(frame);
    else if (!this.im?.took(frame, now)) this.#rooms.pushed(frame);
  }

  #removed({ room, reason, until_ms: untilMs, message }) {
    this.#likes.discard(room);
    if (this.#rooms.has(room)) {
      this.#rooms.remove(room);
      this.#events.emit("removed", { room, reason, untilMs, message });
    }
  }

  #direct(frame) {
    if (this.#directs.has(frame.mid)) return;
    this.#directs.add(frame.mid);
    if (this.#directs.size > KNOWN_DIRECTS) {
      this.#directs.delete(this.#directs.values().next().value);
    }
    this.#events.emit("direct", { mid: frame.mid, data: frame.data, frame });
  }

  #cut(now) {
    this.#rooms.disconnected();
    this.im?.disconnected();
    this.#requests.disconnected(now);
  }

  #end(error) {
    if (this.#closed) return;
    this.im?.flush();
    this.#closed = error;
    clearTimeout(this.#timer);
    this.#connection.close();
    this.#requests.end(error);
    this.#rooms.end(error);
    this.#events.emit("closed", { error });
  }

  #sendLikes(now) {
    for (const [room, count] of this.#likes.take(now, (room) => this.#rooms.maySend(room))) {
      const reject = (error) => {
        if (error.name === "Unanswered") this.uncertainLikes += count;
      };
      const once = { giveUpMs: 10_000, resolve() {}, reject, repeat: false };
      this.#requests.add("like", { room, count }, once);
    }
  }

  #tick() {
    if (this.#closed) return;
    const now = performance.now();
    this.#requests.expire(now);
    this.#rooms.expire(now);
    this.#connection.watch(now);
    this.im?.reopen(now);
    if (this.#connection.ready) this.#work(now);
    clearTimeout(this.#timer);
    const dueMs = this.#nextDue() - now;
    if (dueMs < Infinity) this.#timer = setTimeout(() => this.#tick(), Math.max(1, dueMs));
  }

  #work(now) {
    this.#rooms.ask(now);
    this.#sendLikes(now);
    this.im?.work(now);
    this.#requests.sendDue(now);
  }

  #nextDue() {
    const isReady = this.#connection.ready;
    const times = [
      this.#connection.nextDue,
      this.#requests.nextDue(isReady),
      this.#rooms.nextDue(isReady),
    ];
    if (isReady) {
      times.push(this.#likes.nextDue((room) => this.#rooms.maySend(room)));
      times.push(this.im?.nextDue ?? Infinity);
    }
    return Math.min(...times);
  }
}
