/** Requests on their way: sent when they may be, repeated until they are answered or given up. */

import { MAY_RETRY, NOT_DONE, Refused, Unanswered, isSlowMode } from "./errors.js";

const MAX_WAITING = 1000;
const ATTEMPT_MS = 5_000;
const RETRY_MS = 500;

export class Requests {
  #waiting = new Map();
  #lastId = 0;
  #send;
  #maySend;

  /**
   * @param {(text: string) => void} send
   * @param {(room?: string) => boolean} maySend whether a request to `room` may be sent now
   */
  constructor(send, maySend) {
    this.#send = send;
    this.#maySend = maySend;
  }

  /** Returns a number for a request. */
  nextId() {
    return ++this.#lastId;
  }

  /** Asks, and returns the promise of the answer's `ok`. */
  ask(op, fields, { giveUpMs = 10_000 } = {}) {
    if (this.#waiting.size >= MAX_WAITING) {
      return Promise.reject(new Error(`${MAX_WAITING} requests wait for their answers`));
    }
    return new Promise((resolve, reject) => {
      this.add(op, fields, { giveUpMs, resolve, reject });
    });
  }

  /** Adds a request; one that is not to be `repeat`ed fails with the connection. */
  add(op, fields, { giveUpMs, waitMs = 0, repeat = true, ...rest }) {
    const now = performance.now();
    const id = this.nextId();
    const times = { giveUpAt: now + giveUpMs, attemptAt: now + waitMs, sent: false };
    const text = JSON.stringify({ op, id, ...fields });
    this.#waiting.set(id, { text, room: fields.room, repeat, ...rest, ...times });
  }

  sendDue(now) {
    for (const request of this.#waiting.values()) {
      if (request.attemptAt > now || !this.#maySend(request.room)) continue;
      this.#send(request.text);
      request.sent = true;
      const waitMs = ATTEMPT_MS + (request.backoff?.next() ?? 0);
      request.attemptAt = request.repeat ? now + waitMs : Infinity;
    }
  }

  answered(frame, now) {
    const request = this.#waiting.get(frame.reply);
    if (!request) return;
    const { error } = frame;
    if (error && this.#triesAgain(request, error, now)) return;
    this.#waiting.delete(frame.reply);
    if (error) request.reject(new Refused(error));
    else request.resolve(frame.ok);
  }

  /** Drops requests unanswered whose stream `belongs` to what has ended. */
  forget(belongs) {
    for (const [id, request] of this.#waiting) {
      if (request.stream && belongs(request.stream)) this.#waiting.delete(id);
    }
  }

  /** Makes what the last connection left unanswered ready for the next. */
  disconnected(now) {
    for (const [id, request] of [...this.#waiting]) {
      if (!request.sent) continue;
      if (request.repeat) Object.assign(request, { sent: false, attemptAt: now });
      else {
        this.#waiting.delete(id);
        request.reject(new Unanswered("the connection ended before the answer"));
      }
    }
  }

  expire(now) {
    for (const [id, request] of [...this.#waiting]) {
      if (request.giveUpAt > now) continue;
      this.#waiting.delete(id);
      request.reject(new Unanswered());
    }
  }

  end(error) {
    for (const request of this.#waiting.values()) request.reject(error);
    this.#waiting.clear();
  }

  nextDue(isReady) {
    const times = [];
    for (const request of this.#waiting.values()) {
      times.push(request.giveUpAt);
      if (isReady && this.#maySend(request.room)) times.push(request.attemptAt);
    }
    return Math.min(Infinity, ...times);
  }

  #triesAgain(request, error, now) {
    const mayRetry = MAY_RETRY.has(error.code) && (request.repeat || NOT_DONE.has(error.code));
    if (!mayRetry || isSlowMode(error)) return false;
    const pauseMs = request.backoff?.next() ?? 0;
    const retryAt = now + Math.max(error.retry_after_ms || RETRY_MS, pauseMs);
    if (retryAt >= request.giveUpAt) return false;
    Object.assign(request, { attemptAt: retryAt, sent: false });
    return true;
  }
}
