/** A room that the application wants to be in. */

import { Stream } from "./stream.js";

const PRIORITIES = ["urgent", "normal", "bulk"];

/** A room that the application wants to be in, over all reconnects. */
export class Room {
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
