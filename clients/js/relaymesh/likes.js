/** Likes, merged before they are sent. */

const LIKE_INTERVAL_MS = 200;
const MAX_LIKES_PER_FRAME = 1000;

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
