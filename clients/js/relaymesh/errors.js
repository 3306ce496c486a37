/** What a request can fail with, and what may be tried again. */

/** Errors after which the same request may be sent again (proto/errors.py). */
export const MAY_RETRY = new Set([
  "rate_limited",
  "overloaded",
  "unavailable",
  "home_unreachable",
  "timeout",
]);
/** Errors that promise that nothing was done: even a like may be sent again. */
export const NOT_DONE = new Set(["rate_limited", "overloaded"]);

/** Whether a room is in slow mode: for a person to know, as it may take minutes. */
export function isSlowMode({ code, field }) {
  return code === "rate_limited" && field === "room";
}

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
