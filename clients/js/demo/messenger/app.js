/** The messenger: its models, what the user does, and when it is drawn. */

import { RelaymeshClient } from "../relaymesh.js";
import { demoToken } from "../token.js";
import { Names, uidOf } from "./account.js";
import { Chats } from "./chats.js";
import { hear } from "./hearing.js";
import { drawList } from "./list_view.js";
import { Loading } from "./loading.js";
import { People } from "./people.js";
import { Thread } from "./thread.js";
import { drawThread } from "./thread_view.js";
import { OwnTyping, Typing } from "./typing.js";

const DRAW_MS = 16;

export class App {
  /** The conversation that is open. */
  open = "";
  /** Whether the server's lists are here. */
  isLoaded = false;
  /** Messages that the server would not have, by conversation. */
  refused = new Map();
  #threads = new Map();
  #drawing = false;
  #toEnd = false;
  #toText = false;

  /**
   * @param {string} name whom to log in as
   * @param {{state: Function, waiting: Function, problem: Function}} tell shows what is around
   * @param {(endpoints: object[]) => object[]} prefer
   */
  constructor(name, tell, prefer) {
    this.me = uidOf(name);
    this.tell = tell;
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
    this.loading = new Loading(this);
    this.ownTyping = new OwnTyping((conv, on) => this.im.typing(conv, on));
    hear(this);
  }

  /** The messages of the open conversation. */
  get thread() {
    return this.open ? this.threadOf(this.open) : null;
  }

  threadOf(conv) {
    if (!this.#threads.has(conv)) this.#threads.set(conv, new Thread(conv));
    return this.#threads.get(conv);
  }

  forgetThreads() {
    this.#threads.clear();
  }

  /** Opens a conversation, or ("") goes back to the list. */
  choose(conv) {
    location.hash = encodeURIComponent(conv);
  }

  /** Shows what the address names. */
  show(conv) {
    if (conv === this.open) return;
    this.ownTyping.stopped();
    this.open = conv;
    // On a phone the keyboard would cover what one wants to read first.
    this.#toText = Boolean(conv) && matchMedia("(hover: hover)").matches;
    this.draw(true);
    if (conv) this.loading.history(this.thread);
  }

  say(text) {
    this.ownTyping.sent();
    this.im.send(this.open, { text });
    this.draw(true);
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
    const { thread } = this;
    if (!thread?.hasMore || thread.isFetching) return;
    await this.loading.history(thread, thread.oldest);
  }

  recall({ conv, seq }) {
    return this.attempt(() => this.im.recall(conv, seq));
  }

  async ask(uid) {
    await this.im.contacts.request(uid);
    await this.loading.contacts();
  }

  accept(uid) {
    return this.attempt(async () => {
      await this.im.contacts.accept(uid);
      await this.loading.contacts();
    });
  }

  decline(uid) {
    return this.attempt(async () => {
      await this.im.contacts.decline(uid);
      await this.loading.contacts();
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

  /** Does what may fail, and says so. */
  async attempt(work) {
    try {
      await work();
    } catch (error) {
      if (error.name !== "Closed") this.tell.problem(error.message);
    }
  }

  /** Draws what has changed, soon; `toEnd` goes to the newest message. */
  draw(toEnd = false) {
    this.#toEnd ||= toEnd;
    if (this.#drawing) return;
    this.#drawing = true;
    // No animation frame: a page in the background still shows in its title what is unread.
    setTimeout(() => {
      this.#drawing = false;
      drawList(this);
      drawThread(this, this.#toEnd);
      if (this.#toText) document.getElementById("text").focus();
      this.#toEnd = this.#toText = false;
    }, DRAW_MS);
  }
}
