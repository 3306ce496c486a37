/** The list of messages: one's own appear at once and settle when the room has them. */

import { lookOf } from "./gifts.js";
import { byId, dressAvatar, icon, make } from "./look.js";

const MOST_LINES = 300;
const BADGES = { host: "Host", moderator: "Moderator" };
const NEAR_PX = 80;

const log = byId("log");
const empty = byId("empty");
const newer = byId("newer");
const pending = new Map();

newer.addEventListener("click", () => {
  log.scrollTop = log.scrollHeight;
});
log.addEventListener("scroll", () => {
  if (isAtEnd()) newer.hidden = true;
});

/** Shows a message of the room; one's own that was pending settles. */
export function showMessage(frame, kind, ownUid) {
  const waiting = pending.get(frame.mid);
  pending.delete(frame.mid);
  waiting?.remove();
  const line = lineOf(frame, kind, frame.uid === ownUid);
  if (!waiting) line.classList.add("enter");
  append(line, Boolean(waiting));
}

/** Shows one's own message before the room has it. */
export function showPending(mid, frame, kind) {
  const line = lineOf(frame, kind, true);
  line.classList.add("pending", "enter");
  pending.set(mid, line);
  append(line, true);
}

/** Marks one's own message as failed, and says why. */
export function showFailed(mid, reason) {
  const line = pending.get(mid);
  if (!line) return;
  pending.delete(mid);
  line.classList.replace("pending", "failed");
  line.append(make("p", "problem", `Not sent: ${reason}`));
}

/** Shows a line of the page's own. */
export function showNote(text) {
  append(make("li", "note", text), false);
}

function lineOf(frame, kind, isOwn) {
  const line = make("li", `message ${kind}${isOwn ? " own" : ""}`);
  const who = make("div", "who");
  who.append(isOwn ? make("b", "", frame.name || frame.uid) : nameButton(frame));
  if (BADGES[frame.role]) who.append(make("span", `badge ${frame.role}`, BADGES[frame.role]));
  const right = make("div");
  right.append(who, bodyOf(frame, kind));
  line.append(dressAvatar(make("span", "avatar"), frame.uid, frame.name), right);
  return line;
}

/** A name to press, for those who moderate; to others it looks and acts like text. */
function nameButton({ uid, name }) {
  const button = make("button", "name", name || uid);
  button.type = "button";
  button.dataset.uid = uid;
  return button;
}

function bodyOf(frame, kind) {
  const body = make("p", "body");
  body.dir = "auto";
  if (kind !== "gift") {
    body.textContent = frame.text;
    return body;
  }
  const { title, symbol } = lookOf(frame.gift);
  const times = frame.count > 1 ? ` ×${frame.count}` : "";
  body.append(icon(symbol), make("span", "", `${title}${times}${frame.text ? ` · ${frame.text}` : ""}`));
  return body;
}

function append(line, follow) {
  const wasAtEnd = isAtEnd();
  empty.hidden = true;
  log.append(line);
  while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
  if (wasAtEnd || follow) log.scrollTop = log.scrollHeight;
  else newer.hidden = false;
}

function isAtEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
}
