/** The one WebSocket: where to, hello, whether the server is still there, and coming back. */

import { Backoff } from "./backoff.js";
import { askGateway, EndpointChoice } from "./endpoints.js";
import { Closed, MAY_RETRY, Refused } from "./errors.js";
import { framesOf } from "./frames.js";
import { letGo, Mover, orderOf } from "./moves.js";
import { Renewal } from "./renewal.js";

const SUBPROTOCOL = "relaymesh.v1.json";
/** Close codes after which a client must not come back by itself (proto/close_codes.py). */
const NO_RETURN = new Set([1000, 1002, 1003, 1007, 1009, 4001, 4002, 4004, 4005, 4011, 4012, 4013]);
const TOKEN_INVALID = 4001;
const TOKEN_EXPIRED = 4002;

const HANDSHAKE_MS = 10_000;
const PING_MS = 10_000;
const SETTLED_MS = 5_000;

/**
 * @typedef {object} Owner what a connection tells, and asks
 * @property {() => number} nextId a number for a request
 * @property {() => string | undefined} room for the gateway's choice
 * @property {(first: string) => object} greeting the fields of `hello` beside the token, with room
 *   `first` among those that it joins
 * @property {(room: string) => boolean} wants whether the client still wants to be in `room`
 * @property {(ok: object, now: number) => void} greeted the answer to `hello`
 * @property {(frame: object, now: number) => void} took any other frame
 * @property {(now: number) => void} cut the connection is gone
 * @property {(detail: object) => void} disconnected what comes next
 * @property {(detail: object) => void} moved another node has taken over
 * @property {(error: Error) => void} ended for good
 * @property {() => void} tick something may be due
 */

export class Connection {
  ready = false;
  #options;
  #owner;
  #refusedToken = null;
  #backoff = new Backoff();
  #choice = new EndpointChoice();
  #socket = null;
  #at = { url: "", token: "" };
  #node = "";
  #mover;
  #renewal;
  #followed = null;
  #resume = "";
  #leftAt = 0;
  #hello = 0;
  #helloError = null;
  #heartbeatMs = 25_000;
  #silentAt = Infinity;
  #probing = false;
  #openedAt = 0;
  #retryTimer = null;
  #closed = false;
  #wake = () => this.#retryNow();
  #sleep = () => this.again("the device is offline");

  /** @param {object} options of `RelaymeshClient` @param {Owner} owner */
  constructor(options, owner) {
    this.#options = options;
    this.#owner = owner;
    const holds = ({ room }) => this.#socket !== null && (!room || owner.wants(room));
    this.#mover = new Mover(holds, (socket, order) => this.#move(socket, order));
    this.#renewal = new Renewal(options.token, (token) => this.#refresh(token));
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.addEventListener?.("offline", this.#sleep);
    queueMicrotask(() => this.#connect());
  }

  send(text) {
    if (this.#socket?.readyState === 1) this.#socket.send(text);
  }

  /** Ends the connection, to come back later: the server works in part. */
  again(reason) {
    const socket = this.#socket;
    if (!socket) return;
    letGo(socket);
    this.#dropped(socket, { code: 1006, reason });
  }

  close() {
    this.#closed = true;
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.removeEventListener?.("offline", this.#sleep);
    clearTimeout(this.#retryTimer);
    this.#mover.stop();
    this.#renewal.stop();
    const socket = this.#socket;
    this.#socket = null;
    this.ready = false;
    socket?.close(1000);
  }

  /** Pings a server that was not heard for long, and gives one up that does not answer. */
  watch(now) {
    if (now < this.#silentAt) return;
    if (this.#probing) {
      // A dead peer answers no close: what `onclose` would do happens now.
      this.#silentAt = Infinity;
      this.again("the server is silent");
      return;
    }
    this.#probing = true;
    this.#silentAt = now + PING_MS;
    this.send(JSON.stringify({ op: "ping", id: this.#owner.nextId() }));
  }

  get nextDue() {
    return this.#silentAt;
  }

  async #connect() {
    this.#retryTimer = null;
    let token = "";
    try {
      token = await freshToken(this.#options.token);
      if (this.#closed) return;
      if (token === this.#refusedToken) {
        this.#owner.ended(new Closed("the token has expired", TOKEN_EXPIRED));
        return;
      }
      const endpoints = this.#options.prefer(await this.#endpoints(token));
      if (this.#closed) return;
      if (!endpoints.length) throw new Error("no access node takes connections");
      this.#open(this.#choice.choose(endpoints).url, token);
    } catch (error) {
      this.#notConnected(error, token);
    }
  }

  #notConnected(error, token) {
    const isExpired = error.code === "token_expired";
    if (isExpired && typeof this.#options.token === "function") {
      this.#refusedToken = token;
      this.#retry(null, error.message);
    } else if (error instanceof Refused && !MAY_RETRY.has(error.code)) {
      this.#owner.ended(new Closed(error.message, isExpired ? TOKEN_EXPIRED : TOKEN_INVALID));
    } else {
      this.#retry(null, error.message);
    }
  }

  async #endpoints(token) {
    if (!this.#options.gateway) return this.#options.endpoints;
    return askGateway(this.#options.gateway, this.#owner.room(), token);
  }

  #open(url, token) {
    this.#followed = null;
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.#use(socket, url, token);
    socket.onopen = () => this.#greet(token);
    this.#owner.tick();
  }

  #use(socket, url, token) {
    this.#socket = socket;
    this.#at = { url, token };
    // Covers the handshake and the answer to `hello`.
    this.#silentAt = performance.now() + HANDSHAKE_MS;
    this.#probing = true;
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = (close) => this.#dropped(socket, close);
  }

  /** Lets `socket`, which is open, take the place of the present one, with nothing in between. */
  async #move(socket, order) {
    const present = this.#socket;
    const token = await freshToken(this.#options.token).catch(() => this.#at.token);
    if (this.#socket !== present || socket.readyState !== 1) return letGo(socket);
    const now = performance.now();
    letGo(present);
    this.#cut(now);
    this.#owner.disconnected({ code: 1000, reason: "moved", reconnecting: true, retryMs: 0 });
    // A listener may have closed the client.
    if (this.#closed) return letGo(socket);
    this.#use(socket, socket.url, token);
    this.#followed = order;
    this.#leftAt = now;
    this.#greet(token, order.resume);
    this.#owner.tick();
  }

  #greet(token, resume) {
    this.#resume = resume;
    this.#hello = this.#owner.nextId();
    this.#helloError = null;
    this.#openedAt = performance.now();
    const { client } = this.#options;
    const greeting = { ...this.#owner.greeting(this.#followed?.room), resume };
    this.send(JSON.stringify({ op: "hello", id: this.#hello, token, client, ...greeting }));
  }

  #received(text) {
    const now = performance.now();
    if (this.ready) {
      this.#silentAt = now + this.#heartbeatMs;
      this.#probing = false;
    }
    for (const frame of framesOf(text)) {
      if ("reply" in frame && frame.reply === this.#hello) this.#greeted(frame, now);
      else if (frame.push === "move") this.#told(frame);
      else if (frame.push === "expiring") this.#renewal.told();
      else this.#owner.took(frame, now);
    }
    this.#owner.tick();
  }

  #refresh(token) {
    if (token === this.#at.token) return false;
    this.#at.token = token;
    this.send(JSON.stringify({ op: "refresh", id: this.#owner.nextId(), token }));
    return true;
  }

  #told(frame) {
    const order = orderOf(frame);
    if (order) this.#mover.follow(order);
  }

  #greeted({ ok, error }, now) {
    if (error?.field === "resume" && this.#resume) {
      // The token of the move is of no use: as anybody, then.
      this.#greet(this.#at.token);
      return;
    }
    if (error) {
      // The close that follows decides what becomes of the client.
      this.#helloError = error;
      return;
    }
    this.ready = true;
    this.#heartbeatMs = Math.max(1000, ok.heartbeat_ms ?? 25_000);
    this.#silentAt = now + this.#heartbeatMs;
    this.#probing = false;
    const oldNode = this.#node;
    this.#node = ok.node;
    this.#owner.greeted(ok, now);
    if (!this.#followed) return;
    const { room } = this.#followed;
    this.#owner.moved({ room, oldNode, newNode: ok.node, gapMs: now - this.#leftAt });
  }

  #dropped(socket, { code, reason }) {
    if (socket !== this.#socket) return;
    this.#cut(performance.now());
    const mayRenew = typeof this.#options.token === "function";
    if (code === TOKEN_EXPIRED && mayRenew) this.#refusedToken = this.#at.token;
    else if (NO_RETURN.has(code)) {
      const why = this.#helloError?.message || reason;
      this.#owner.disconnected({ code, reason, reconnecting: false, retryMs: 0 });
      this.#owner.ended(new Closed(`closed with ${code}${why ? `: ${why}` : ""}`, code));
      return;
    }
    this.#retry(code, reason);
  }

  #cut(now) {
    this.#mover.stop();
    this.#renewal.stop();
    this.#choice.failed(this.#at.url);
    if (this.ready && now - this.#openedAt > SETTLED_MS) this.#backoff.settle();
    this.#socket = null;
    this.ready = false;
    this.#silentAt = Infinity;
    this.#owner.cut(now);
  }

  #retry(code, reason) {
    const retryMs = this.#backoff.next();
    this.#owner.disconnected({ code, reason, reconnecting: true, retryMs });
    // A listener may have closed the client.
    if (!this.#closed) this.#retryTimer = setTimeout(() => this.#connect(), retryMs);
  }

  #retryNow() {
    if (this.#retryTimer === null) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }
}

async function freshToken(token) {
  return typeof token === "function" ? await token() : token;
}
