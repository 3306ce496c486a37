/** What the page asks the server for. */

import { isGroup } from "./conversations.js";

const PAGE = 50;
const MOST_PAGES = 20;
const MAX_WATCHED = 200;

export class Loading {
  #app;

  constructor(app) {
    this.#app = app;
  }

  /** Begins from what the server has: after a connect, the first and each later one. */
  all() {
    const app = this.#app;
    return app.attempt(async () => {
      await Promise.all([this.sessions(), this.contacts()]);
      app.isLoaded = true;
      app.draw();
      if (app.open) await this.history(app.thread);
    });
  }

  async sessions() {
    const app = this.#app;
    const items = await pages((cursor) => app.im.sessions({ limit: 100, cursor }), "sessions");
    for (const { last } of items) if (last) app.names.learn(last.uid, last.name);
    app.chats.load(items);
    for (const { conv, name } of app.chats.list()) {
      if (isGroup(conv) && !name) this.groupName(conv);
    }
    app.draw();
  }

  async contacts() {
    const app = this.#app;
    const ask = (cursor) => app.im.contacts.page({ limit: 200, cursor });
    app.people.load(await pages(ask, "contacts"));
    app.im.watch(app.people.friends.slice(0, MAX_WATCHED));
    app.draw();
  }

  async groupName(conv) {
    const app = this.#app;
    try {
      const { name } = await app.im.groups.info(conv);
      app.chats.open(conv).name = name;
      app.draw();
    } catch {
      // Who is no longer a member may not know the name.
    }
  }

  /** Returns all members of a group. */
  members(conv) {
    const { groups } = this.#app.im;
    return pages((cursor) => groups.members(conv, { limit: 500, cursor }), "members");
  }

  /** Fetches a page of a conversation: the newest, or those before `before`. */
  async history(thread, before = 0) {
    const app = this.#app;
    thread.isFetching = true;
    try {
      const { frames, oldest } = await app.im.history(thread.conv, { before, limit: PAGE });
      for (const { uid, name } of frames) app.names.learn(uid, name);
      thread.take(frames);
      thread.hasMore = frames.length > 0 && thread.oldest > oldest;
    } catch {
      // A chat that nobody has written to, or no connection: what comes, comes live.
    }
    thread.isFetching = false;
    if (thread !== app.thread) return;
    app.look();
    app.draw(!before);
  }
}

/** Returns the whole of a list that is answered in pages. */
async function pages(ask, key) {
  const all = [];
  let cursor = "";
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await ask(cursor);
    all.push(...answer[key]);
    cursor = answer.cursor ?? "";
    if (!cursor) break;
  }
  return all;
}
