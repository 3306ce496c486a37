/** The numbered streams of a room. */

const MAX_FETCH = 200;
const MAX_HELD = 1000;

/**
 * @typedef {{epoch: string, seq: number}} Position
 * @typedef {"urgent"|"normal"|"bulk"} Priority
 */

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

/** Whether `frame` is of the numbering that `before` left the stream in. */
function goesOn(before, frame) {
  const resets = before.push === "reset" || frame.push === "reset";
  return !resets && before.epoch === frame.epoch;
}

function lastOf(frame) {
  return frame.push === "skipped" ? frame.to : frame.seq;
}
