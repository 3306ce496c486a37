/** Commands to move to another node, and how they are followed. */

const SUBPROTOCOL = "relaymesh.v1.json";
const HANDSHAKE_MS = 10_000;
/** What a delay counts for at most: the server closes who waits longer. */
const LONGEST_DELAY_MS = 600_000;

/** @typedef {{endpoints: string[], resume: string, delayMs: number, room: string}} Order */

/** Returns what a `move` push asks for, or null where it can't be understood. @returns {Order?} */
export function orderOf({ endpoints, resume, delay_ms: delay = 0, room = "" }) {
  if (!Array.isArray(endpoints) || typeof resume !== "string" || typeof room !== "string") {
    return null;
  }
  const urls = endpoints.map((each) => each?.url).filter((url) => typeof url === "string");
  if (!urls.length || !Number.isFinite(delay) || delay < 0) return null;
  return { endpoints: urls, resume, delayMs: Math.min(delay, LONGEST_DELAY_MS), room };
}

/** Opens a connection beside the one that is to be given up; the last order is the one that counts. */
export class Mover {
  #order = null;
  #timer = null;
  #trying = null;
  #holds;
  #opened;

  /**
   * @param {(order: Order) => boolean} holds whether an order is still to be followed
   * @param {(socket: WebSocket, order: Order) => void} opened a connection stands there
   */
  constructor(holds, opened) {
    this.#holds = holds;
    this.#opened = opened;
  }

  /** Follows `order` after its delay, instead of any other. @param {Order} order */
  follow(order) {
    this.stop();
    this.#order = order;
    this.#timer = setTimeout(() => this.#holds(order) && this.#try(order, 0), order.delayMs);
  }

  /** Lets the order be: the connection that it was given on has ended. */
  stop() {
    clearTimeout(this.#timer);
    this.#order = null;
    if (this.#trying) letGo(this.#trying);
    this.#trying = null;
  }

  #try(order, number) {
    const url = order.endpoints[number];
    // Where nobody answers the present connection goes on; the server ends it, and then the
    // gateway is asked.
    if (url === undefined || this.#order !== order) return;
    const socket = this.#open(url);
    const next = () => {
      clearTimeout(this.#timer);
      if (socket) letGo(socket);
      this.#trying = null;
      this.#try(order, number + 1);
    };
    if (!socket) return next();
    this.#trying = socket;
    this.#timer = setTimeout(next, HANDSHAKE_MS);
    socket.onclose = socket.onerror = next;
    socket.onopen = () => {
      clearTimeout(this.#timer);
      this.#trying = this.#order = socket.onerror = null;
      this.#opened(socket, order);
    };
  }

  #open(url) {
    try {
      return new WebSocket(url, SUBPROTOCOL);
    } catch {
      return null; // no URL that this browser takes
    }
  }
}

/** Closes a socket of which nobody wants to hear any more. */
export function letGo(socket) {
  socket.onclose = socket.onerror = socket.onmessage = socket.onopen = null;
  socket.close(1000);
}
