/**
 * A client for relaymesh live rooms (protocol `relaymesh.v1.json`, docs/protocol.md).
 *
 * It comes back after a broken connection and resumes each room where it was, delivers each message
 * once and in its stream's order, fetches what is missing, repeats a message with the same `mid`
 * until it is answered, and merges likes. One file, no build step, no dependencies.
 *
 *     const client = new RelaymeshClient({ gateway: location.origin, token });
 *     client.on("push", ({ kind, room, frame }) => console.log(room, kind, frame.text));
 *     await client.join("lobby", { history: 20 });
 *     await client.chat("lobby", "hello");
 */

const SUBPROTOCOL = "relaymesh.v1.json";
const PRIORITIES = ["urgent", "normal", "bulk"];

/** Errors after which the same request may be sent again (proto/errors.py). */
const MAY_RETRY = new Set(["rate_limited", "overloaded", "unavailable", "timeout"]);
/** Errors that promise that nothing was done: even a like may be sent again. */
const NOT_DONE = new Set(["rate_limited", "overloaded"]);
/** Close codes after which a client must not come back by itself (proto/close_codes.py). */
const NO_RETURN = new Set([1000, 1002, 1003, 1007, 1009, 4001, 4002, 4004]);
const TOKEN_EXPIRED = 4002;

const MAX_ROOMS_PER_HELLO = 20;
const MAX_FETCH = 200;
const MAX_LIKES_PER_FRAME = 1000;
const MAX_HELD = 1000;
const MAX_WAITING = 1000;
const KNOWN_DIRECTS = 1000;

const HANDSHAKE_MS = 10_000;
const ATTEMPT_MS = 5_000;
const RETRY_MS = 500;
const PING_MS = 10_000;
const SETTLED_MS = 5_000;
const LIKE_INTERVAL_MS = 200;
/** The server knows a `mid` for five minutes: nothing is repeated for longer than this. */
const REPEAT_WITHIN_MS = 240_000;

/**
 * @typedef {{epoch: string, seq: number}} Position
 * @typedef {"urgent"|"normal"|"bulk"} Priority
 * @typedef {{url: string, node?: string}} Endpoint
 * @typedef {{room: string, priority: Priority, epoch: string, seq: number, ts: number, mid: string}}
 *   Published
 */

/** The server answered with an error; `code` is from the error catalogue. */
export class Refused extends Error {
  /** @param {{code?: string, message?: string, field?: string, retry_after_ms?: number}} error */
  constructor(error) {
    super(error.message || error.code || "refused");
    this.name = "Refused";
    this.code = error.code ?? "";
    this.field = error.field ?? "";
    this.retryAfterMs = error.retry_after_ms ?? 0;
  }
}

/** No answer in time: the request may or may not have been done. */
export class Unanswered extends Error {
  constructor(message = "no answer in time") {
    super(message);
    this.name = "Unanswered";
  }
}

/** The client is closed for good; `code` is the WebSocket close code, if there was one. */
export class Closed extends Error {
  /** @param {string} message @param {number} [code] */
  constructor(message, code) {
    super(message);
    this.name = "Closed";
    this.code = code;
  }
}

/**
 * The receiving end of one stream: what is next, what is a duplicate, what is missing.
 *
 * What arrives behind a gap is held until the server has said what became of the gap: a fetch
 * without an answer says nothing, so the gap stays open.
 *
 * Each method returns the events to tell, as `[type, detail]`, and the gap to fetch, if one opened.
 */
export class Stream {
  /** @param {string} room @param {Priority} priority @param {Position} position */
  constructor(room, priority, position) {
    this.room = room;
    this.priority = priority;
    this.position = position;
    this.missingUntil = 0;
    this.held = [];
  }

  /** Takes a push of this stream, `skipped` and `reset` among them. */
  take(frame) {
    const outcome = { events: [], fetch: null };
    if (!this.missingUntil) this.#step(frame, outcome);
    else this.#hold(frame, outcome);
    return outcome;
  }

  /**
   * Takes the answer to a fetch, and asks on for what it neither brought nor called gone: gone is
   * what is below `oldest` and not in `frames`, and all of it in another `epoch`.
   */
  fetched(epoch, oldest, frames) {
    const outcome = { events: [], fetch: null };
    if (!this.missingUntil) return outcome;
    if (epoch !== this.position.epoch) {
      this.#giveUp(outcome);
      return outcome;
    }
    const { to } = this.#gap();
    for (const frame of frames) this.#repair(frame, oldest, outcome);
    this.#pass("lost", Math.min(oldest - 1, to), outcome);
    if (this.position.seq >= this.missingUntil) this.#close(outcome);
    else outcome.fetch = this.#gap();
    return outcome;
  }

  /** Learns that the fetch got no answer that helps: the gap stays, to be fetched again. */
  fetchFailed() {
    return { events: [], fetch: this.missingUntil ? this.#gap() : null };
  }

  /** Forgets what is held: the resume starts at the position and brings it again. */
  disconnected() {
    this.missingUntil = 0;
    this.held = [];
  }

  #step(frame, outcome) {
    if (frame.push === "reset") this.#move({ epoch: frame.epoch, seq: frame.seq }, outcome);
    else if (frame.push === "skipped") this.#skip(frame, outcome);
    else this.#deliverOrHold(frame, outcome);
  }

  #deliverOrHold(frame, outcome) {
    // A new numbering whose `reset` this client has not seen: say so and go on with it.
    if (frame.epoch !== this.position.epoch) {
      this.#move({ epoch: frame.epoch, seq: frame.seq - 1 }, outcome);
    }
    if (frame.seq === this.position.seq + 1) this.#deliver(frame, outcome);
    else if (frame.seq > this.position.seq) this.#open(frame, frame.seq - 1, outcome);
  }

  #skip(frame, outcome) {
    const { epoch, from, to } = frame;
    if (epoch !== this.position.epoch) this.#move({ epoch, seq: from - 1 }, outcome);
    if (from > this.position.seq + 1) this.#open(frame, from - 1, outcome);
    else this.#pass("skipped", to, outcome);
  }

  #move(position, outcome) {
    const old = this.position;
    this.position = position;
    if (position.epoch === old.epoch && position.seq === old.seq) return;
    // A room that nobody has written to has no epoch yet: getting one loses nothing.
    if (old.epoch === "" && old.seq === 0 && position.seq === 0) return;
    outcome.events.push(["reset", { ...this.#name(), old, new: position }]);
  }

  #deliver(frame, outcome) {
    this.position = { epoch: this.position.epoch, seq: this.position.seq + 1 };
    outcome.events.push(["push", { ...this.#name(), kind: frame.push, ...this.position, frame }]);
  }

  #pass(type, last, outcome) {
    const { epoch, seq } = this.position;
    if (last <= seq) return;
    this.position = { epoch, seq: last };
    outcome.events.push([type, { ...this.#name(), epoch, first: seq + 1, last }]);
  }

  #hold(frame, outcome) {
    const newest = this.held.at(-1);
    if (this.held.length < MAX_HELD) this.held.push(frame);
    else if (!goesOn(newest, frame)) {
      // The server itself has left behind what is missing.
      this.held.push(frame);
      this.#giveUp(outcome);
    } else if (lastOf(frame) > lastOf(newest)) {
      // The newest alone shows that there is more: what it displaces is fetched in its turn.
      this.held[this.held.length - 1] = frame;
    }
  }

  #open(frame, missingUntil, outcome) {
    this.missingUntil = missingUntil;
    this.held.unshift(frame);
    outcome.fetch = this.#gap();
  }

  #gap() {
    const from = this.position.seq + 1;
    const to = Math.min(this.missingUntil, from + MAX_FETCH - 1);
    return { ...this.#name(), epoch: this.position.epoch, from, to };
  }

  #repair(frame, oldest, outcome) {
    if (frame.seq <= this.position.seq || frame.seq > this.missingUntil) return;
    this.#pass("lost", Math.min(frame.seq, oldest) - 1, outcome);
    if (frame.seq === this.position.seq + 1) this.#deliver(frame, outcome);
  }

  #giveUp(outcome) {
    this.#pass("lost", this.missingUntil, outcome);
    this.#close(outcome);
  }

  #close(outcome) {
    this.missingUntil = 0;
    const held = this.held;
    this.held = [];
    for (const frame of held) {
      if (this.missingUntil) this.held.push(frame);
      else this.#step(frame, outcome);
    }
  }

  #name() {
    return { room: this.room, priority: this.priority };
  }
}

/** Many taps become one frame each interval and room; what was taken is forgotten here. */
export class LikeMerger {
  #rooms = new Map();

  add(room, count, now) {
    const entry = this.#rooms.get(room) ?? { waiting: 0, due: now + LIKE_INTERVAL_MS };
    entry.waiting += count;
    this.#rooms.set(room, entry);
  }

  discard(room) {
    this.#rooms.delete(room);
  }

  /** Returns `[room, count]` of the rooms that are due and may be sent to. */
  take(now, maySend) {
    const due = [...this.#rooms].filter(([room, entry]) => entry.due <= now && maySend(room));
    return due.map(([room, entry]) => {
      const count = Math.min(entry.waiting, MAX_LIKES_PER_FRAME);
      entry.waiting -= count;
      entry.due = now + LIKE_INTERVAL_MS;
      if (!entry.waiting) this.#rooms.delete(room);
      return [room, count];
    });
  }

  nextDue(maySend) {
    const due = [...this.#rooms].filter(([room]) => maySend(room)).map(([, entry]) => entry.due);
    return Math.min(Infinity, ...due);
  }
}

/** Delays that grow, each ±50 %, so that a crowd spreads out. Milliseconds. */
export class Backoff {
  #next = 200;

  constructor(random = Math.random) {
    this.random = random;
  }

  next() {
    const delay = this.#next * (0.5 + this.random());
    this.#next = Math.min(this.#next * 1.6, 10_000);
    return delay;
  }

  settle() {
    this.#next = 200;
  }
}

/** Takes the gateway's first choice, unless this client just came from there. */
export class EndpointChoice {
  #failed = [];

  /** @param {Endpoint[]} endpoints */
  choose(endpoints) {
    const rank = (endpoint) => this.#failed.indexOf(endpoint.url);
    return endpoints.reduce((best, each) => (rank(each) < rank(best) ? each : best));
  }

  failed(url) {
    this.#failed = [...this.#failed.filter((each) => each !== url), url].slice(-50);
  }
}

/** A room that the application wants to be in, over all reconnects. */
class Room {
  constructor(name, history, promise, giveUpAt) {
    this.name = name;
    this.history = history;
    this.promise = promise;
    this.giveUpAt = giveUpAt;
    this.standing = "wanted";
    this.askAt = 0;
    /** @type {Map<Priority, Stream>} */
    this.streams = new Map();
  }

  spec() {
    if (this.streams.size) {
      const since = [...this.streams].map(([priority, stream]) => [priority, stream.position]);
      return { room: this.name, since: Object.fromEntries(since) };
    }
    return this.history ? { room: this.name, history: this.history } : { room: this.name };
  }

  /** A resumed stream keeps its own position: the server starts there or sends a `reset`. */
  joined(ok) {
    const resumed = this.streams.size > 0;
    for (const priority of PRIORITIES) {
      const head = ok.streams?.[priority];
      if (head && !this.streams.has(priority)) {
        const position = { epoch: head.epoch, seq: head.seq };
        this.streams.set(priority, new Stream(this.name, priority, position));
      }
    }
    this.standing = "joined";
    return { ...ok, resumed };
  }

  disconnected() {
    this.standing = "wanted";
    this.askAt = 0;
    for (const stream of this.streams.values()) stream.disconnected();
  }
}

/**
 * One user's connection to the cluster.
 *
 * Events (`on(type, listener)`, the listener takes the detail):
 * `push` {room, kind, priority, epoch, seq, frame}, `skipped` and `lost` {room, priority, epoch,
 * first, last}, `reset` {room, priority, old, new}, `joined` (the answer to join, and `resumed`),
 * `left` {room, error}, `direct` {mid, data, frame}, `connected` {uid, node, session},
 * `disconnected` {code, reason, reconnecting, retryMs}, `closed` {error}.
 */
export class RelaymeshClient {
  #options;
  #token;
  #refusedToken = null;
  #listeners = new Map();
  #rooms = new Map();
  #requests = new Map();
  #lastId = 0;
  #likes = new LikeMerger();
  #directs = new Set();
  #backoff = new Backoff();
  #choice = new EndpointChoice();
  #socket = null;
  #ready = false;
  #hello = 0;
  #helloError = null;
  #heartbeatMs = 25_000;
  #silentAt = Infinity;
  #probing = false;
  #openedAt = 0;
  #timer = null;
  #retryTimer = null;
  #closed = null;
  #wake = () => this.#retryNow();

  /** Likes that were sent and may or may not have been counted: a connection broke. */
  uncertainLikes = 0;

  /**
   * @param {object} options
   * @param {string} [options.gateway] base URL of the gateway, asked before each connection
   * @param {Endpoint[]} [options.endpoints] instead of a gateway: where to connect
   * @param {string | (() => string | Promise<string>)} options.token a token, or a function that
   *   gives a fresh one for each connection
   * @param {string} [options.client] name and version, at most 64 characters
   * @param {(endpoints: Endpoint[]) => Endpoint[]} [options.prefer] reorders or filters endpoints
   */
  constructor(options) {
    if (!options.gateway && !options.endpoints?.length) {
      throw new TypeError("give a gateway, or endpoints");
    }
    this.#options = { client: "relaymesh-js/0.1", prefer: (endpoints) => endpoints, ...options };
    this.#token = options.token;
    globalThis.addEventListener?.("online", this.#wake);
    queueMicrotask(() => this.#connect());
  }

  /** Calls `listener` with the detail of each event of `type`; returns a function that stops it. */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Joins `room` and stays in it over reconnects. @returns {Promise<object>} the answer */
  join(room, { history = 0, timeoutMs = 30_000 } = {}) {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#rooms.has(room)) return Promise.reject(new Error(`${room} is joined already`));
    return new Promise((resolve, reject) => {
      const giveUpAt = performance.now() + timeoutMs;
      this.#rooms.set(room, new Room(room, history, { resolve, reject }, giveUpAt));
      this.#tick();
    });
  }

  /** Leaves `room` and does not come back to it. */
  async leave(room) {
    const known = this.#rooms.get(room);
    if (!known) return;
    this.#rooms.delete(room);
    this.#likes.discard(room);
    this.#forgetFetches((stream) => stream.room === room);
    known.promise?.reject(new Unanswered(`${room} was left`));
    if (this.#ready && known.standing !== "wanted") await this.#request("leave", { room });
  }

  /** Says `text` in `room`: one message, however often it has to be sent. @returns {Promise<Published>} */
  chat(room, text, options) {
    return this.#publish("chat", { room, text }, options);
  }

  /** Says `text` as a host of `room`. @returns {Promise<Published>} */
  speech(room, text, options) {
    return this.#publish("speech", { room, text }, options);
  }

  /** Gives a gift; the server decides by its value whether it is urgent. @returns {Promise<Published>} */
  gift(room, { gift, value, count = 1, text = "" }, options) {
    return this.#publish("gift", { room, gift, value, count, text }, options);
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
    return this.#request("fetch", { room, priority, epoch, from, to });
  }

  /** Returns the milliseconds that a ping to the access node and back took. */
  async ping() {
    const began = performance.now();
    await this.#request("ping", {});
    return performance.now() - began;
  }

  /** Ends the connection for good. */
  close() {
    this.#end(new Closed("the client is closed", 1000));
  }

  // --- requests

  #publish(op, fields, { mid = newId(), timeoutMs = 60_000 } = {}) {
    const giveUpMs = Math.min(timeoutMs, REPEAT_WITHIN_MS);
    return this.#request(op, { ...fields, mid }, { giveUpMs });
  }

  #request(op, fields, { giveUpMs = 10_000 } = {}) {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#requests.size >= MAX_WAITING) {
      return Promise.reject(new Error(`${MAX_WAITING} requests wait for their answers`));
    }
    return new Promise((resolve, reject) => {
      this.#add(op, fields, { giveUpMs, resolve, reject });
      this.#tick();
    });
  }

  #add(op, fields, { giveUpMs, waitMs = 0, repeat = true, ...rest }) {
    const now = performance.now();
    const id = ++this.#lastId;
    const times = { giveUpAt: now + giveUpMs, attemptAt: now + waitMs, sent: false };
    const text = JSON.stringify({ op, id, ...fields });
    this.#requests.set(id, { text, room: fields.room, repeat, ...rest, ...times });
  }

  #maySend = (room) => (this.#rooms.get(room)?.standing ?? "joined") === "joined";

  #sendDue(now) {
    for (const request of this.#requests.values()) {
      if (request.attemptAt > now || !this.#maySend(request.room)) continue;
      this.#send(request.text);
      request.sent = true;
      const waitMs = ATTEMPT_MS + (request.backoff?.next() ?? 0);
      request.attemptAt = request.repeat ? now + waitMs : Infinity;
    }
  }

  #sendLikes(now) {
    for (const [room, count] of this.#likes.take(now, this.#maySend)) {
      const reject = (error) => {
        if (error instanceof Unanswered) this.uncertainLikes += count;
      };
      this.#add("like", { room, count }, { giveUpMs: 10_000, resolve() {}, reject, repeat: false });
    }
  }

  #answered(frame, now) {
    const request = this.#requests.get(frame.reply);
    if (!request) return;
    const { error } = frame;
    if (error && MAY_RETRY.has(error.code) && (request.repeat || NOT_DONE.has(error.code))) {
      const pauseMs = request.backoff?.next() ?? 0;
      const retryAt = now + Math.max(error.retry_after_ms || RETRY_MS, pauseMs);
      if (retryAt < request.giveUpAt) {
        Object.assign(request, { attemptAt: retryAt, sent: false });
        return;
      }
    }
    this.#requests.delete(frame.reply);
    if (error) request.reject(new Refused(error));
    else request.resolve(frame.ok);
  }

  // --- rooms and streams

  #askForRooms(now) {
    for (const room of this.#rooms.values()) {
      if (room.standing !== "wanted" || room.askAt > now) continue;
      room.standing = "asked";
      room.asked = ++this.#lastId;
      this.#send(JSON.stringify({ op: "join", id: room.asked, ...room.spec() }));
    }
  }

  #joinAnswered(room, ok, error, now) {
    if (!error) {
      const answer = room.joined(ok);
      this.#emit("joined", answer);
      room.promise?.resolve(answer);
      room.promise = null;
    } else if (MAY_RETRY.has(error.code)) {
      room.standing = "wanted";
      room.askAt = now + (error.retry_after_ms || RETRY_MS);
    } else {
      this.#lose(room, new Refused(error));
    }
  }

  #lose(room, error) {
    this.#rooms.delete(room.name);
    this.#forgetFetches((stream) => stream.room === room.name);
    room.promise?.reject(error);
    this.#emit("left", { room: room.name, error });
  }

  #pushed(frame) {
    if (frame.push === "direct") return this.#direct(frame);
    const stream = this.#rooms.get(frame.room)?.streams.get(frame.priority);
    const numbers = frame.push === "skipped" ? [frame.from, frame.to] : [frame.seq];
    if (!stream || !numbers.every(Number.isInteger)) return;
    this.#tell(stream, stream.take(frame));
  }

  #direct(frame) {
    if (this.#directs.has(frame.mid)) return;
    this.#directs.add(frame.mid);
    if (this.#directs.size > KNOWN_DIRECTS) {
      this.#directs.delete(this.#directs.values().next().value);
    }
    this.#emit("direct", { mid: frame.mid, data: frame.data, frame });
  }

  #tell(stream, outcome) {
    for (const [type, detail] of outcome.events) this.#emit(type, detail);
    if (!outcome.fetch) return;
    this.#forgetFetches((each) => each === stream);
    this.#fetchGap(stream, outcome.fetch, new Backoff(), 0);
  }

  /** No time-out ends this: that a fetch has no answer does not mean that the messages are gone. */
  #fetchGap(stream, gap, backoff, waitMs) {
    const took = (outcome) => {
      const stands = outcome.fetch?.from === gap.from && outcome.fetch.epoch === gap.epoch;
      if (stands) this.#fetchGap(stream, outcome.fetch, backoff, backoff.next());
      else this.#tell(stream, outcome);
    };
    this.#add("fetch", gap, {
      giveUpMs: Infinity,
      waitMs,
      stream,
      backoff,
      resolve: (ok) => took(repaired(stream, ok)),
      reject: () => this.#closed || took(stream.fetchFailed()),
    });
  }

  #forgetFetches(belongs) {
    for (const [id, request] of this.#requests) {
      if (request.stream && belongs(request.stream)) this.#requests.delete(id);
    }
  }

  // --- the connection

  async #connect() {
    this.#retryTimer = null;
    let token = "";
    try {
      token = await freshToken(this.#token);
      if (this.#closed) return;
      if (token === this.#refusedToken) {
        this.#end(new Closed("the token has expired", TOKEN_EXPIRED));
        return;
      }
      const endpoints = this.#options.prefer(await this.#endpoints(token));
      if (this.#closed) return;
      if (!endpoints.length) throw new Error("no access node takes connections");
      this.#open(this.#choice.choose(endpoints).url, token);
    } catch (error) {
      if (error.code === "token_expired" && typeof this.#token === "function") {
        this.#refusedToken = token;
        this.#retry(null, error.message);
      } else if (error instanceof Refused && !MAY_RETRY.has(error.code)) {
        this.#end(new Closed(error.message, error.code === "token_expired" ? 4002 : 4001));
      } else {
        this.#retry(null, error.message);
      }
    }
  }

  async #endpoints(token) {
    if (!this.#options.gateway) return this.#options.endpoints;
    const url = new URL("/v1/connect", this.#options.gateway);
    const [room] = this.#rooms.keys();
    if (room) url.searchParams.set("room", room);
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(HANDSHAKE_MS) });
    const body = await answer.json();
    if (answer.ok) return body.endpoints;
    const error = body.error ?? { message: answer.statusText };
    throw [400, 401, 403].includes(answer.status) ? new Refused(error) : new Error(error.message);
  }

  #open(url, token) {
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.#socket = socket;
    // Covers the handshake and the answer to `hello`.
    this.#silentAt = performance.now() + HANDSHAKE_MS;
    this.#probing = true;
    socket.onopen = () => this.#greet(token);
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#dropped(socket, url, token, code, reason);
    this.#tick();
  }

  #greet(token) {
    const rooms = [...this.#rooms.values()].slice(0, MAX_ROOMS_PER_HELLO);
    for (const room of rooms) room.standing = "asked";
    this.#hello = ++this.#lastId;
    this.#helloError = null;
    this.#openedAt = performance.now();
    const join = rooms.map((room) => room.spec());
    const { client } = this.#options;
    this.#send(JSON.stringify({ op: "hello", id: this.#hello, token, client, join }));
  }

  #received(text) {
    const now = performance.now();
    if (this.#ready) {
      this.#silentAt = now + this.#heartbeatMs;
      this.#probing = false;
    }
    for (const frame of framesOf(text)) {
      if (!("reply" in frame)) this.#pushed(frame);
      else if (frame.reply === this.#hello) this.#greeted(frame, now);
      else if (!this.#joinReplied(frame, now)) this.#answered(frame, now);
    }
    this.#tick();
  }

  #greeted({ ok, error }, now) {
    if (error) {
      // The close that follows decides what becomes of the client.
      this.#helloError = error;
      return;
    }
    this.#ready = true;
    this.#heartbeatMs = Math.max(1000, ok.heartbeat_ms ?? 25_000);
    this.#silentAt = now + this.#heartbeatMs;
    this.#probing = false;
    this.#emit("connected", { uid: ok.uid, node: ok.node, session: ok.session });
    for (const [name, answer] of Object.entries(ok.rooms ?? {})) {
      const room = this.#rooms.get(name);
      if (room) this.#joinAnswered(room, answer, answer.error, now);
    }
  }

  #joinReplied(frame, now) {
    const room = [...this.#rooms.values()].find((each) => each.asked === frame.reply);
    if (!room || room.standing !== "asked") return false;
    this.#joinAnswered(room, frame.ok, frame.error, now);
    return true;
  }

  #dropped(socket, url, token, code, reason) {
    if (socket !== this.#socket) return;
    const now = performance.now();
    this.#choice.failed(url);
    if (this.#ready && now - this.#openedAt > SETTLED_MS) this.#backoff.settle();
    this.#socket = null;
    this.#ready = false;
    this.#silentAt = Infinity;
    this.#forgetFetches(() => true);
    for (const room of this.#rooms.values()) room.disconnected();
    this.#makeRequestsReady(now);
    if (code === TOKEN_EXPIRED && typeof this.#token === "function") this.#refusedToken = token;
    else if (NO_RETURN.has(code)) {
      const why = this.#helloError?.message || reason;
      this.#emit("disconnected", { code, reason, reconnecting: false, retryMs: 0 });
      this.#end(new Closed(`closed with ${code}${why ? `: ${why}` : ""}`, code));
      return;
    }
    this.#retry(code, reason);
  }

  #makeRequestsReady(now) {
    for (const [id, request] of [...this.#requests]) {
      if (!request.sent) continue;
      if (request.repeat) Object.assign(request, { sent: false, attemptAt: now });
      else {
        this.#requests.delete(id);
        request.reject(new Unanswered("the connection ended before the answer"));
      }
    }
  }

  #retry(code, reason) {
    const retryMs = this.#backoff.next();
    this.#emit("disconnected", { code, reason, reconnecting: true, retryMs });
    this.#retryTimer = setTimeout(() => this.#connect(), retryMs);
  }

  #retryNow() {
    if (this.#retryTimer === null) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  #end(error) {
    if (this.#closed) return;
    this.#closed = error;
    globalThis.removeEventListener?.("online", this.#wake);
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    for (const request of this.#requests.values()) request.reject(error);
    this.#requests.clear();
    for (const room of this.#rooms.values()) room.promise?.reject(error);
    this.#emit("closed", { error });
  }

  #send(text) {
    if (this.#socket?.readyState === 1) this.#socket.send(text);
  }

  // --- time

  #tick() {
    if (this.#closed) return;
    const now = performance.now();
    this.#expire(now);
    this.#watch(now);
    if (this.#ready) {
      this.#askForRooms(now);
      this.#sendLikes(now);
      this.#sendDue(now);
    }
    clearTimeout(this.#timer);
    const dueMs = this.#nextDue() - now;
    if (dueMs < Infinity) this.#timer = setTimeout(() => this.#tick(), Math.max(1, dueMs));
  }

  #expire(now) {
    for (const [id, request] of [...this.#requests]) {
      if (request.giveUpAt > now) continue;
      this.#requests.delete(id);
      request.reject(new Unanswered());
    }
    for (const room of [...this.#rooms.values()]) {
      if (room.promise && room.giveUpAt <= now) this.#lose(room, new Unanswered());
    }
  }

  #watch(now) {
    if (now < this.#silentAt) return;
    if (this.#probing) {
      this.#giveConnectionUp();
      return;
    }
    this.#probing = true;
    this.#silentAt = now + PING_MS;
    this.#send(JSON.stringify({ op: "ping", id: ++this.#lastId }));
  }

  #giveConnectionUp() {
    // A dead peer answers no close: what `onclose` would do happens now.
    const socket = this.#socket;
    this.#silentAt = Infinity;
    if (!socket) return;
    const { onclose } = socket;
    socket.onclose = socket.onmessage = socket.onopen = null;
    socket.close();
    onclose?.call(socket, { code: 1006, reason: "the server is silent" });
  }

  #nextDue() {
    const times = [this.#silentAt];
    for (const request of this.#requests.values()) {
      times.push(request.giveUpAt);
      if (this.#ready && this.#maySend(request.room)) times.push(request.attemptAt);
    }
    for (const room of this.#rooms.values()) {
      if (room.promise) times.push(room.giveUpAt);
      if (this.#ready && room.standing === "wanted") times.push(room.askAt);
    }
    if (this.#ready) times.push(this.#likes.nextDue(this.#maySend));
    return Math.min(...times);
  }

  #emit(type, detail) {
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

/** Whether `frame` is of the numbering that `before` left the stream in. */
function goesOn(before, frame) {
  const resets = before.push === "reset" || frame.push === "reset";
  return !resets && before.epoch === frame.epoch;
}

function lastOf(frame) {
  return frame.push === "skipped" ? frame.to : frame.seq;
}

function repaired(stream, { epoch, oldest, frames }) {
  const isWhole =
    typeof epoch === "string" && Number.isInteger(oldest) && Array.isArray(frames);
  return isWhole ? stream.fetched(epoch, oldest, frames) : stream.fetchFailed();
}

/** Returns a new id for a message: 96 random bits. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function freshToken(token) {
  return typeof token === "function" ? await token() : token;
}

/** Returns the frames of a server's message; what is no well-formed frame is left out. */
function framesOf(text) {
  let values;
  try {
    values = JSON.parse(text);
  } catch {
    return [];
  }
  const isFrame = (frame) => {
    if (typeof frame !== "object" || frame === null) return false;
    if (!("reply" in frame)) return typeof frame.push === "string";
    return [frame.ok, frame.error].some((part) => typeof part === "object" && part !== null);
  };
  return Array.isArray(values) ? values.filter(isFrame) : [];
}
