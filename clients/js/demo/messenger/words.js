/** What the page says about messages and times. */

const DAY_MS = 86_400_000;

const NOTICES = {
  group_created: (who) => `${who} created the group`,
  group_updated: (who, { name }) => `${who} named the group “${name ?? ""}”`,
  group_joined: (who, { uids = [] }, names, uid) =>
    uids.length === 1 && uids[0] === uid ? `${who} joined` : `${who} added ${names.list(uids)}`,
  group_left: (who, { uids = [], by }, names) =>
    by ? `${names.forMe(by)} removed ${names.list(uids)}` : `${names.list(uids)} left`,
  group_role: (who, { uid, role }, names) =>
    `${who} made ${names.forMe(uid)} ${role === "admin" ? "an admin" : "a member"}`,
  group_muted: (who, { uid, for_s: forS }, names) =>
    `${who} ${forS === 0 ? "unmuted" : "muted"} ${uid ? names.forMe(uid) : "the group"}`,
  group_transferred: (who, { uid }, names) => `${who} made ${names.forMe(uid)} the owner`,
  group_dissolved: (who) => `${who} dissolved the group`,
};

/** Returns what a message that nobody has written says, or "". */
export function noticeOf({ kind, uid, body }, names) {
  return NOTICES[kind]?.(names.forMe(uid), body ?? {}, names, uid) ?? "";
}

/** Returns the line that the list shows of a message. */
export function previewOf(message, names, isDirect) {
  if (message.kind !== "message") return noticeOf(message, names);
  const text = message.recalled ? "took a message back" : (message.body.text ?? "…");
  const who = names.forMe(message.uid);
  return isDirect && who !== "You" && !message.recalled ? text : `${who}${message.recalled ? " " : ": "}${text}`;
}

/** Returns a time of today as hours and minutes, another as its day. */
export function shortTime(ts) {
  const date = new Date(ts);
  if (new Date().toDateString() === date.toDateString()) return clockTime(ts);
  const isRecent = Date.now() - ts < 6 * DAY_MS;
  const form = isRecent ? { weekday: "short" } : { day: "numeric", month: "short" };
  return date.toLocaleDateString([], form);
}

export function clockTime(ts) {
  return new Date(ts).toLocaleTimeString([], { timeStyle: "short" });
}

export function dayOf(ts) {
  const date = new Date(ts);
  const yesterday = new Date(Date.now() - DAY_MS);
  if (date.toDateString() === new Date().toDateString()) return "Today";
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  return date.toLocaleDateString([], { day: "numeric", month: "long", year: "numeric" });
}

/** Says where somebody is. */
export function presenceWords({ state, seenMs }) {
  if (state === "online") return "online";
  if (state !== "offline" || !seenMs) return state === "offline" ? "offline" : "";
  const minutes = Math.round((Date.now() - seenMs) / 60_000);
  if (minutes < 1) return "last seen just now";
  if (minutes < 60) return `last seen ${minutes} min ago`;
  return `last seen ${shortTime(seenMs)}`;
}
