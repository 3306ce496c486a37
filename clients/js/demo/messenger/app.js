/** The messenger: what the client tells goes into the models, and the views are drawn from them. */

import { RelaymeshClient } from "../relaymesh.js";
import { demoToken } from "../token.js";
import { Names, uidOf } from "./account.js";
import { Chats } from "./chats.js";
import { isGroup, isSystem } from "./conversations.js";
import { drawList } from "./list_view.js";
import { People } from "./people.js";
import { Thread } from "./thread.js";
import { drawThread } from "./thread_view.js";
import { OwnTyping, Typing } from "./typing.js";

const PAGE = 50;
const MOST_PAGES = 20;
const MAX_WATCHED = 200;

export class App {
  /** The conversation that is open. */
  open = "";
  isLoaded = false;
  /** Messages that the server would not have, by conversation. */
  refused = new Map();
  #threads = new Map();
  #drawing = 0;
  #toEnd = false;
  #tell;

  /**
   * @param {string} name whom to log in as
   * @param {{state: Function, outbox: Function, problem: Function}} tell what the page shows around
   * @param {(endpoints: object[]) => object[]} prefer
   */
  constructor(name, tell, prefer) {
    this.me = uidOf(name);
    this.#tell = tell;
    this.names = new Names(this.me);
    this.names.learn(this.me, name);
    this.chats = new Chats(this.me);
    this.people = new People();
    this.typing = new Typing(() => this.draw());
    this.client = new RelaymeshClient({
      gateway: location.origin,
      client: "relaymesh-messenger/0.1",
      token: () => demoToken({ name, uid: this.me }),
      prefer,
      im: { uid: this.me },
    });
    this.im = this.client.im;
    this.ownTyping = new OwnTyping((conv, on) => this.im.typing(conv, on));
    this.#listen();
  }

  /** The messages of the open conversation. */
  get thread() {
    return this.open ? this.#thread(this.open) : null;
  }

  // --- what the user does

  /** Opens a conversation, or ("") goes back to the list. */
  choose(conv) {
    location.hash = encodeURIComponent(conv);
  }

  /** Shows what the address names. */
  show(conv) {
    if (conv === this.open) return;
    this.ownTyping.stopped();
    this.open = conv;
    this.draw(true);
    if (conv) this.#history();
  }

  say(text) {
    this.ownTyping.sent();
    this.im.send(this.open, { text });
    this.draw(true);
  }

  typed() {
    this.ownTyping.typed(this.open);
  }

  /** Marks the open conversation as read, if somebody looks at it. */
  look() {
    const chat = this.chats.get(this.open);
    if (!chat || document.hidden || !document.hasFocus()) return;
    if (!chat.unread && chat.readSeq >= chat.lastSeq) return;
    this.chats.read(chat.conv, chat.lastSeq);
    this.im.read(chat.conv, chat.lastSeq);
    this.draw();
  }

  async older() {
    if (!this.thread?.hasMore || this.thread.isFetching) return;
    await this.#history(this.thread.oldest);
  }

  recall({ conv, seq }) {
    return this.#try(() => this.im.recall(conv, seq));
  }

  async ask(uid) {
    await this.im.contacts.request(uid);
    await this.#contacts();
  }

  accept(uid) {
    return this.#try(async () => {
      await this.im.contacts.accept(uid);
      await this.#contacts();
    });
  }

  decline(uid) {
    return this.#try(async () => {
      await this.im.contacts.decline(uid);
      await this.#contacts();
    });
  }

  async createGroup(name, uids) {
    const { conv } = await this.im.groups.create(name, uids);
    this.chats.open(conv).name = name;
    this.choose(conv);
  }

  invite(conv, uids) {
    if (!uids.length) throw new Error("Choose somebody.");
    return this.im.groups.invite(conv, uids);
  }

  leave(conv) {
    return this.im.groups.leave(conv);
  }

  /** Returns all members of a group. */
  members(conv) {
    return pages((cursor) => this.im.groups.members(conv, { limit: 500, cursor }), "members");
  }

  /** Draws what has changed, once a frame. */
  draw(toEnd = false) {
    this.#toEnd ||= toEnd;
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      drawList(this);
      drawThread(this, this.#toEnd);
      this.#toEnd = false;
    });
  }

  // --- what the client tells

  #listen() {
    this.client.on("connected", ({ node }) => this.#tell.state({ state: "connected", node }));
    this.client.on("disconnected", (detail) => {
      this.people.forgetPresence();
      this.#tell.state({ state: "connecting", ...detail });
      this.draw();
    });
    this.client.on("closed", ({ error }) => this.#tell.state({ state: "closed", error }));
    this.client.on("im", ({ standing }) => {
      this.#tell.state({ standing });
      if (standing !== "away") this.#refresh();
    });
    this.client.on("mailboxreset", () => {
      // What is missing lies between what is shown and what comes.
      this.#threads.clear();
      this.#refresh();
    });
    this.client.on("message", (message) => this.#message(message));
    this.client.on("outbox", (change) => this.#outbox(change));
    this.client.on("receipt", (receipt) => {
      this.chats.receipt(receipt);
      this.draw();
    });
    this.client.on("typing", (typing) => {
      if (typing.uid === this.me) return;
      this.typing.took(typing);
      this.draw();
    });
    this.client.on("presence", (presence) => {
      this.people.took(presence);
      this.draw();
    });
  }

  #thread(conv) {
    if (!this.#threads.has(conv)) this.#threads.set(conv, new Thread(conv));
    return this.#threads.get(conv);
  }

  #message(message) {
    const { conv, uid, name } = message;
    this.names.learn(uid, name);
    this.chats.took(message);
    this.typing.stopped(conv, uid);
    if (isSystem(conv)) return this.#told(message);
    if (isGroup(conv) && !this.chats.get(conv).name) this.#groupName(conv);
    this.#thread(conv).take([message]);
    if (conv === this.open) this.look();
    this.draw();
  }

  /** Takes what the cluster tells this user. */
  #told({ conv, seq, kind, body }) {
    this.im.read(conv, seq);
    if (kind.startsWith("friend_")) this.#try(() => this.#contacts());
    if (kind === "group_joined") {
      this.chats.open(body.conv).left = false;
      this.#groupName(body.conv);
    }
    if (kind === "group_left") this.chats.open(body.conv).left = true;
    this.draw();
  }

  #outbox({ entry, sent, error }) {
    if (error) {
      const refused = this.refused.get(entry.conv) ?? [];
      this.refused.set(entry.conv, [...refused, { ...entry, error }]);
    }
    if (sent) {
      const { conv, mid } = entry;
      const message = { ...sent, mid, conv, kind: "message", uid: this.me, body: entry.fields };
      this.chats.took(message);
      this.#thread(conv).take([message]);
    }
    this.#tell.outbox(this.im.waiting.length);
    this.draw(!sent && !error);
  }

  // --- what the page asks

  /** Begins from what the server has: after a connect, the first and each later one. */
  async #refresh() {
    await this.#try(async () => {
      await Promise.all([this.#sessions(), this.#contacts()]);
      this.isLoaded = true;
      if (this.open) await this.#history();
    });
  }

  async #sessions() {
    const items = await pages((cursor) => this.im.sessions({ limit: 100, cursor }), "sessions");
    for (const { last } of items) if (last) this.names.learn(last.uid, last.name);
    this.chats.load(items);
    for (const { conv, name } of this.chats.list()) {
      if (isGroup(conv) && !name) this.#groupName(conv);
    }
    this.draw();
  }

  async #contacts() {
    this.people.load(await pages((cursor) => this.im.contacts.page({ limit: 200, cursor }), "contacts"));
    this.im.watch(this.people.friends.slice(0, MAX_WATCHED));
    this.draw();
  }

  async #groupName(conv) {
    try {
      const { name } = await this.im.groups.info(conv);
      this.chats.open(conv).name = name;
      this.draw();
    } catch {
      // Who is no longer a member may not know the name.
    }
  }

  /** Fetches a page of the open conversation: the newest, or those before `before`. */
  async #history(before = 0) {
    const { thread } = this;
    thread.isFetching = true;
    try {
      const { frames, oldest } = await this.im.history(thread.conv, { before, limit: PAGE });
      for (const { uid, name } of frames) this.names.learn(uid, name);
      thread.take(frames);
      thread.hasMore = frames.length > 0 && thread.oldest > oldest;
    } catch {
      // A chat that nobody has written to, or no connection: what comes, comes live.
    }
    thread.isFetching = false;
    if (thread !== this.thread) return;
    this.look();
    this.draw(!before);
  }

  async #try(work) {
    try {
      await work();
    } catch (error) {
      if (error.name !== "Closed") this.#tell.problem(error.message);
    }
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
