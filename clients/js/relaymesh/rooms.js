/** The rooms that the application is in, over all reconnects, and the repair of their streams. */

import { Backoff } from "./backoff.js";
import { MAY_RETRY, Refused, Unanswered } from "./errors.js";
import { Room } from "./room.js";

const MAX_ROOMS_PER_HELLO = 20;
const RETRY_MS = 500;

export class Rooms {
  #rooms = new Map();
  #requests;
  #events;
  #send;

  constructor(requests, events, send) {
    this.#requests = requests;
    this.#events = events;
    this.#send = send;
  }

  /** The name of the first room, for the gateway's choice of a node. */
  get first() {
    return this.#rooms.keys().next().value;
  }

  has(name) {
    return this.#rooms.has(name);
  }

  /** Whether a request to `room` may be sent: it is joined, or needs no joining. */
  maySend(room) {
    return (this.#rooms.get(room)?.standing ?? "joined") === "joined";
  }

  /** Wants to be in a room, and returns the promise of the answer. */
  add(name, history, giveUpAt) {
    return new Promise((resolve, reject) => {
      this.#rooms.set(name, new Room(name, history, { resolve, reject }, giveUpAt));
    });
  }

  /** Leaves a room; says whether the server has to be told. */
  remove(name) {
    const room = this.#rooms.get(name);
    if (!room) return false;
    this.#rooms.delete(name);
    this.#requests.forget((stream) => stream.room === name);
    room.promise?.reject(new Unanswered(`${name} was left`));
    return room.standing !== "wanted";
  }

  /** Returns the `join` of a `hello`, with the room `first` before others. */
  specs(first) {
    const wanted = [...this.#rooms.values()];
    wanted.sort((a, b) => (b.name === first) - (a.name === first));
    const rooms = wanted.slice(0, MAX_ROOMS_PER_HELLO);
    for (const room of rooms) room.standing = "asked";
    return rooms.map((room) => room.spec());
  }

  /** Takes the `rooms` of the answer to `hello`. */
  greeted(answers, now) {
    for (const [name, answer] of Object.entries(answers)) {
      const room = this.#rooms.get(name);
      if (room) this.#answered(room, answer, answer.error, now);
    }
  }

  /** Takes the answer to a `join`; says whether it was one. */
  replied(frame, now) {
    const room = [...this.#rooms.values()].find((each) => each.asked === frame.reply);
    if (!room || room.standing !== "asked") return false;
    this.#answered(room, frame.ok, frame.error, now);
    return true;
  }

  pushed(frame) {
    const stream = this.#rooms.get(frame.room)?.streams.get(frame.priority);
    const numbers = frame.push === "skipped" ? [frame.from, frame.to] : [frame.seq];
    if (!stream || !numbers.every(Number.isInteger)) return;
    this.#tell(stream, stream.take(frame));
  }

  ask(now) {
    for (const room of this.#rooms.values()) {
      if (room.standing !== "wanted" || room.askAt > now) continue;
      room.standing = "asked";
      room.asked = this.#requests.nextId();
      this.#send(JSON.stringify({ op: "join", id: room.asked, ...room.spec() }));
    }
  }

  expire(now) {
    for (const room of [...this.#rooms.values()]) {
      if (room.promise && room.giveUpAt <= now) this.#lose(room, new Unanswered());
    }
  }

  disconnected() {
    this.#requests.forget(() => true);
    for (const room of this.#rooms.values()) room.disconnected();
  }

  end(error) {
    for (const room of this.#rooms.values()) room.promise?.reject(error);
  }

  nextDue(isReady) {
    const times = [];
    for (const room of this.#rooms.values()) {
      if (room.promise) times.push(room.giveUpAt);
      if (isReady && room.standing === "wanted") times.push(room.askAt);
    }
    return Math.min(Infinity, ...times);
  }

  #answered(room, ok, error, now) {
    if (!error) {
      const answer = room.joined(ok);
      this.#events.emit("joined", answer);
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
    this.#requests.forget((stream) => stream.room === room.name);
    room.promise?.reject(error);
    this.#events.emit("left", { room: room.name, error });
  }

  #tell(stream, outcome) {
    for (const [type, detail] of outcome.events) this.#events.emit(type, detail);
    if (!outcome.fetch) return;
    this.#requests.forget((each) => each === stream);
    this.#fetchGap(stream, outcome.fetch, new Backoff(), 0);
  }

  /** No time-out ends this: that a fetch has no answer does not mean that the messages are gone. */
  #fetchGap(stream, gap, backoff, waitMs) {
    const took = (outcome) => {
      const stands = outcome.fetch?.from === gap.from && outcome.fetch.epoch === gap.epoch;
      if (stands) this.#fetchGap(stream, outcome.fetch, backoff, backoff.next());
      else this.#tell(stream, outcome);
    };
    this.#requests.add("fetch", gap, {
      giveUpMs: Infinity,
      waitMs,
      stream,
      backoff,
      resolve: (ok) => took(repaired(stream, ok)),
      // A client that was closed rejects all: its rooms are gone, and nothing asks on.
      reject: (error) => error.name === "Closed" || took(stream.fetchFailed()),
    });
  }
}

function repaired(stream, { epoch, oldest, frames }) {
  const isWhole =
    typeof epoch === "string" && Number.isInteger(oldest) && Array.isArray(frames);
  return isWhole ? stream.fetched(epoch, oldest, frames) : stream.fetchFailed();
}
