/** Pages of `sync`: what a device has missed, brought before what is new. */

import { Backoff } from "../backoff.js";
import { hotStream, MAILBOX } from "./names.js";

const SYNC_PAGE = 200;

export class Pages {
  #add;
  #deliver;
  #hotSeq;

  /**
   * @param {(op: string, fields: object, answer: object) => void} add adds a request
   * @param {(name: string, frames: object[]) => void} deliver takes what is next of a stream
   * @param {Map<string, number>} hotSeq how far the messages of groups that were hot are here
   */
  constructor(add, deliver, hotSeq) {
    this.#add = add;
    this.#deliver = deliver;
    this.#hotSeq = hotSeq;
  }

  /**
   * Brings `stream` up to what is missing. Says whether some of it is gone for good; raises `Refused`
   * where nothing can be had. When the connection ends, nothing follows.
   */
  async bring(name, stream) {
    let isTrimmed = false;
    while (stream.missingTo) {
      const page = await this.#page(name, stream.position, stream);
      if (page.last < stream.missingTo && page.last <= stream.position) {
        throw new Error("the page does not go on");
      }
      // In a mailbox each number from `oldest` on is there.
      isTrimmed ||= name === MAILBOX && page.oldest > stream.position + 1;
      await this.#take(name, stream, page);
    }
    return isTrimmed;
  }

  /** Takes what is missing of a page: what comes after that is pushed, when it is its turn. */
  async #take(name, stream, { frames, last }) {
    const end = stream.missingTo;
    for (const frame of frames) {
      if (frame.n <= stream.position || frame.n > end) continue;
      if (name === MAILBOX) await this.#bridge(frame, stream);
      this.#deliver(name, [frame]);
      this.#deliver(name, stream.move(frame.n));
    }
    this.#deliver(name, stream.move(Math.min(last, end)));
  }

  /** Brings what a group's hot stream has before a message that the mailbox has again. */
  async #bridge(frame, stream) {
    const name = hotStream(frame.conv);
    let since = this.#hotSeq.get(frame.conv) ?? Infinity;
    while (since < frame.seq - 1) {
      const page = await this.#page(name, since, stream).catch(gone);
      this.#deliver(name, page.frames.filter(({ seq }) => seq < frame.seq));
      since = page.last > since ? page.last : Infinity;
    }
  }

  /** Asks until it is answered; a page that is not full has all up to its own `head`. */
  async #page(name, since, stream) {
    const fields = { stream: name, since, limit: SYNC_PAGE };
    const { epoch, head, oldest, frames } = await new Promise((resolve, reject) => {
      const lasting = { giveUpMs: Infinity, backoff: new Backoff(), stream };
      this.#add("sync", fields, { ...lasting, resolve, reject });
    });
    return { epoch, oldest, frames, last: frames.length < SYNC_PAGE ? head : frames.at(-1).n };
  }
}

/** Who has left a group may not have what it missed of it; its mailbox goes on. */
function gone(error) {
  if (error.name === "Closed") throw error;
  return { frames: [], last: 0 };
}
