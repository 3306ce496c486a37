/** The column of chats: requests, conversations, friends one has not written to. */

import { byId, dressAvatar, make } from "../look.js";
import { direct, isDirect, peerOf } from "./conversations.js";
import { drawKeyed } from "./keyed.js";
import { previewOf, shortTime } from "./words.js";

/** Returns the element that shows whether somebody is there. */
export function presenceDot(presence) {
  const dot = make("i", "presence");
  dot.dataset.presence = presence.state;
  return dot;
}

/** Returns how a conversation is called. */
export function titleOf(chat, { me, names }) {
  return isDirect(chat.conv) ? names.of(peerOf(chat.conv, me)) : chat.name || "Group";
}

/** Draws the list anew from `app`. */
export function drawList(app) {
  drawRequests(app);
  const begun = app.chats.list();
  const known = new Set(begun.map(({ conv }) => conv));
  const silent = app.people.friends
    .map((uid) => direct(app.me, uid))
    .filter((conv) => !known.has(conv))
    .map((conv) => ({ conv, name: "", last: null, lastSeq: 0, lastTs: 0, unread: 0 }));
  const items = [...begun, ...silent];
  drawKeyed(byId("chats"), items, {
    keyOf: ({ conv }) => conv,
    stateOf: (chat) => JSON.stringify(lookOf(chat, app)),
    draw: (chat) => drawChat(lookOf(chat, app), () => app.choose(chat.conv)),
  });
  byId("nobody").hidden = items.length > 0 || app.people.asking.length > 0 || !app.isLoaded;
  const unread = app.chats.unread;
  document.title = `${unread ? `(${unread}) ` : ""}relaymesh · messenger`;
}

function lookOf(chat, app) {
  const peer = isDirect(chat.conv) ? peerOf(chat.conv, app.me) : null;
  const typing = app.typing.in(chat.conv);
  return {
    uid: peer ?? chat.conv,
    title: titleOf(chat, app),
    presence: peer ? app.people.presence(peer).state : null,
    when: chat.lastTs ? shortTime(chat.lastTs) : "",
    preview: typing ? "typing…" : chat.last ? previewOf(chat.last, app.names, Boolean(peer)) : "Say hello",
    isTyping: Boolean(typing),
    unread: chat.unread,
    isOpen: chat.conv === app.open,
    left: chat.left,
  };
}

function drawChat(look, choose) {
  const row = make("li", look.left ? "left" : "");
  const button = make("button", "chat-row");
  button.type = "button";
  if (look.isOpen) button.setAttribute("aria-current", "true");
  button.addEventListener("click", choose);
  const face = make("span", "face");
  face.append(dressAvatar(make("span", "avatar"), look.uid, look.title));
  if (look.presence) face.append(presenceDot({ state: look.presence }));
  const middle = make("span", "middle");
  const preview = make("span", `preview${look.isTyping ? " typing-now" : ""}`, look.preview);
  preview.dir = "auto";
  middle.append(make("b", "title-line", look.title), preview);
  const right = make("span", "right");
  right.append(make("time", "", look.when));
  if (look.unread) right.append(unreadBadge(look.unread));
  button.append(face, middle, right);
  row.append(button);
  return row;
}

function unreadBadge(count) {
  const badge = make("span", "count-badge", count > 99 ? "99+" : String(count));
  badge.append(make("span", "hidden", " unread"));
  return badge;
}

function drawRequests(app) {
  const asking = app.people.asking.map((uid) => ({ uid, isMine: false }));
  const asked = app.people.asked.map((uid) => ({ uid, isMine: true }));
  drawKeyed(byId("requests"), [...asking, ...asked], {
    keyOf: ({ uid, isMine }) => `${isMine}${uid}`,
    stateOf: ({ uid }) => app.names.of(uid),
    draw: ({ uid, isMine }) => drawRequest(app, uid, isMine),
  });
  byId("asking-count").hidden = !asking.length;
  byId("asking-count").textContent = asking.length;
}

function drawRequest(app, uid, isMine) {
  const name = app.names.of(uid);
  const row = make("li", "request");
  const words = make("span", "middle");
  words.append(make("b", "", name), make("span", "preview", isMine ? "was asked" : "wants to be friends"));
  row.append(dressAvatar(make("span", "avatar"), uid, name), words);
  if (isMine) return row;
  const accept = make("button", "small-primary", "Accept");
  accept.addEventListener("click", () => app.accept(uid));
  const decline = make("button", "soft small", "Decline");
  decline.addEventListener("click", () => app.decline(uid));
  row.append(accept, decline);
  return row;
}

