/** The session list: conversations with their last message and what is unread of them. */

import { isSystem } from "./conversations.js";

const blank = (conv) => ({
  conv,
  name: "",
  last: null,
  lastSeq: 0,
  lastTs: 0,
  unread: 0,
  readSeq: 0,
  peerReadSeq: 0,
  pinned: false,
  muted: false,
  left: false,
});

export class Chats {
  #me;
  #chats = new Map();

  constructor(me) {
    this.#me = me;
  }

  /** Takes items of the server's list; what has arrived since is newer. */
  load(items) {
    for (const item of items) {
      const known = this.#chats.get(item.conv);
      if (known && known.lastSeq > item.last_seq) known.name ||= item.name ?? "";
      else this.#chats.set(item.conv, chatOf(item, known));
    }
  }

  get(conv) {
    return this.#chats.get(conv);
  }

  /** Returns the chat `conv`, which begins now if there is none. */
  open(conv) {
    if (!this.#chats.has(conv)) this.#chats.set(conv, blank(conv));
    return this.#chats.get(conv);
  }

  /** Returns all, the latest first. */
  list() {
    const shown = [...this.#chats.values()].filter(({ conv }) => !isSystem(conv));
    return shown.sort(
      (a, b) => b.pinned - a.pinned || b.lastTs - a.lastTs || (a.conv < b.conv ? -1 : 1),
    );
  }

  get unread() {
    return this.list().reduce((sum, { unread, muted }) => sum + (muted ? 0 : unread), 0);
  }

  /** Takes a message that has come in. */
  took(message) {
    const chat = this.open(message.conv);
    if (message.seq <= chat.lastSeq) return;
    chat.lastSeq = message.seq;
    if (message.kind === "recall") return this.#recalled(chat, message.body.target);
    // That a group became hot is nothing to show.
    if (message.kind === "hot" || message.kind === "cool") return;
    Object.assign(chat, { last: message, lastTs: message.ts });
    if (message.body.name && message.kind.startsWith("group_")) chat.name = message.body.name;
    if (message.kind !== "message") return;
    if (message.uid === this.#me) this.read(message.conv, message.seq);
    else chat.unread += 1;
  }

  /** Takes that one has read `conv` up to `seq`, here or elsewhere. */
  read(conv, seq) {
    const chat = this.open(conv);
    if (seq <= chat.readSeq) return;
    chat.readSeq = seq;
    if (seq >= chat.lastSeq) chat.unread = 0;
  }

  /** Takes a receipt. */
  receipt({ conv, uid, seq }) {
    if (uid === this.#me) return this.read(conv, seq);
    const chat = this.open(conv);
    chat.peerReadSeq = Math.max(chat.peerReadSeq, seq);
  }

  #recalled(chat, target) {
    if (chat.last?.seq === target) chat.last = { ...chat.last, recalled: true, body: {} };
  }
}

function chatOf(item, known = blank(item.conv)) {
  const readSeq = Math.max(item.read_seq, known.readSeq);
  return {
    ...known,
    name: item.name || known.name,
    last: item.last && { body: {}, ...item.last },
    lastSeq: item.last_seq,
    lastTs: item.last_ts,
    // The list may be older than what this device has read since.
    unread: readSeq < item.last_seq ? item.unread : 0,
    readSeq,
    peerReadSeq: Math.max(item.peer_read_seq ?? 0, known.peerReadSeq),
    pinned: Boolean(item.pinned),
    muted: Boolean(item.muted),
    left: Boolean(item.left),
  };
}
