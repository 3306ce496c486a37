/** The open conversation: messages with their ticks, what waits, notices. */

import { byId, dressAvatar, icon, make } from "../look.js";
import { isDirect, peerOf } from "./conversations.js";
import { drawKeyed } from "./keyed.js";
import { titleOf } from "./list_view.js";
import { clockTime, dayOf, noticeOf, presenceWords } from "./words.js";

const NEAR_PX = 90;
const RECALL_MS = 120_000;
const TICKS = { waiting: "Waiting to be sent", sent: "Sent", read: "Read" };

const talk = byId("talk");

/** Draws the open conversation anew; `atEnd` moves to the newest message. */
export function drawThread(app, atEnd = false) {
  const isOpen = Boolean(app.thread);
  for (const id of ["thread-bar", "log-frame"]) byId(id).hidden = !isOpen;
  byId("pane").hidden = isOpen;
  byId("messenger").dataset.shows = isOpen ? "thread" : "list";
  if (!isOpen) {
    byId("composer").hidden = byId("typing").hidden = true;
    return;
  }
  drawBar(app);
  const wasAtEnd = atEnd || isAtEnd();
  const fromEnd = talk.scrollHeight - talk.scrollTop;
  drawKeyed(talk, linesOf(app), {
    keyOf: ({ key }) => key,
    stateOf: (line) => JSON.stringify({ ...line, message: undefined }),
    draw: (line) => drawLine(line, app),
  });
  talk.scrollTop = wasAtEnd ? talk.scrollHeight : talk.scrollHeight - fromEnd;
}

export function isAtEnd() {
  return talk.scrollHeight - talk.scrollTop - talk.clientHeight < NEAR_PX;
}

function drawBar(app) {
  const chat = app.chats.open(app.open);
  const title = titleOf(chat, app);
  const peer = isDirect(chat.conv) ? peerOf(chat.conv, app.me) : null;
  dressAvatar(byId("peer-avatar"), peer ?? chat.conv, title);
  byId("peer-name").textContent = title;
  byId("peer-about").textContent = aboutOf(app, chat, peer);
  byId("whom").disabled = Boolean(peer) || chat.left;
  byId("composer").hidden = chat.left;
  const typing = app.typing.in(chat.conv);
  byId("typing").hidden = !typing;
  byId("typing").textContent = typing ? `${app.names.list(typing)} ${typing.length > 1 ? "are" : "is"} typing…` : "";
}

function aboutOf(app, chat, peer) {
  if (chat.left) return "You are no longer in it, or it is no more";
  if (peer) return presenceWords(app.people.presence(peer));
  return "Group · show the members";
}

function linesOf(app) {
  const chat = app.chats.open(app.open);
  const lines = [];
  let day = "";
  let before = null;
  for (const message of app.thread.list()) {
    const line = lineOf(message, app, chat, before);
    if (!line) continue;
    if (dayOf(message.ts) !== day) {
      day = dayOf(message.ts);
      lines.push({ key: `day ${day}`, looks: "note", text: day });
    }
    lines.push(line);
    before = message;
  }
  for (const { mid, fields, ts } of app.thread.waiting(app.im.waiting)) {
    lines.push({ key: `mid ${mid}`, looks: "own", text: fields.text, when: clockTime(ts), tick: "waiting" });
  }
  for (const { mid, fields, error } of app.refused.get(app.open) ?? []) {
    lines.push({ key: `mid ${mid}`, looks: "own failed", text: fields.text, when: `Not sent: ${error.message}` });
  }
  return lines;
}

function lineOf(message, app, chat, before) {
  const { seq, kind, uid, mid, ts, recalled, body } = message;
  if (kind !== "message") {
    const text = noticeOf(message, app.names);
    return text && { key: `seq ${seq}`, looks: "note", text };
  }
  const isOwn = uid === app.me;
  const isNext = before?.kind === "message" && before.uid === uid;
  return {
    key: isOwn ? `mid ${mid}` : `seq ${seq}`,
    message,
    looks: `${isOwn ? "own" : "theirs"}${recalled ? " recalled" : ""}${isNext ? " follows" : ""}`,
    who: isOwn || isDirect(chat.conv) || isNext ? "" : app.names.of(uid),
    uid: isDirect(chat.conv) ? "" : uid,
    text: recalled ? `${app.names.forMe(uid)} took this message back` : (body.text ?? ""),
    when: clockTime(ts),
    tick: isOwn && !recalled ? (seq <= chat.peerReadSeq ? "read" : "sent") : "",
    mayRecall: isOwn && !recalled && Date.now() - ts < RECALL_MS,
  };
}

function drawLine(line, app) {
  const row = make("li", `line ${line.looks}`);
  if (line.looks === "note") {
    row.append(make("span", "", line.text));
    return row;
  }
  if (line.uid && line.looks.startsWith("theirs")) {
    row.append(dressAvatar(make("span", "avatar"), line.uid, app.names.of(line.uid)));
  }
  const bubble = make("div", "bubble");
  if (line.who) bubble.append(make("b", "who", line.who));
  const text = make("p", "text", line.text);
  text.dir = "auto";
  const foot = make("span", "when", line.when);
  if (line.tick) foot.append(tickOf(line.tick));
  bubble.append(text, foot);
  row.append(bubble);
  if (line.mayRecall) row.prepend(recallButton(line.message, app));
  return row;
}

function tickOf(tick) {
  const mark = make("span", `tick ${tick}`);
  mark.title = TICKS[tick];
  mark.append(icon(`tick-${tick}`), make("span", "hidden", TICKS[tick]));
  return mark;
}

function recallButton(message, app) {
  const button = make("button", "recall");
  button.type = "button";
  button.title = "Take back";
  button.setAttribute("aria-label", "Take this message back");
  button.append(icon("icon-undo"));
  button.addEventListener("click", () => app.recall(message));
  return button;
}
