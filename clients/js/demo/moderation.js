/** Moderation: what a host or moderator may do at a name, what all are told, and who is sent out. */

import { showNote } from "./chat.js";
import { announce, byId, make } from "./look.js";

const RANKS = { viewer: 0, moderator: 1, host: 2, server: 3 };
const SLOW_S = 10;
/** What the menu at a name offers; `role` may do it, and whoever stands higher. */
const OFFERS = [
  { label: "Mute for 5 minutes", role: "moderator", ask: { action: "mute", forS: 300 } },
  { label: "Unmute", role: "moderator", ask: { action: "unmute" } },
  { label: "Kick out", role: "moderator", ask: { action: "kick" } },
  { label: "Ban for an hour", role: "moderator", ask: { action: "ban", forS: 3600 } },
  { label: "Make a moderator", role: "host", ask: { action: "grant", role: "moderator" } },
  { label: "Take the role back", role: "host", ask: { action: "revoke_role" } },
];
const TOLD = {
  mute: (by, who, time) => `${by} muted ${who}${time}`,
  unmute: (by, who) => `${by} lets ${who} speak again`,
  ban: (by, who, time) => `${by} banned ${who}${time}`,
  unban: (by, who) => `${by} lets ${who} in again`,
  kick: (by, who) => `${by} sent ${who} out`,
  slow: (by, _, time, { interval_ms }) => `${by} slowed the chat: a message each ${interval_ms / 1000} s${time}`,
  unslow: (by) => `${by} ended slow mode`,
  grant: (by, who, time, { role }) => `${by} made ${who} a ${role}${time}`,
  revoke_role: (by, who) => `${by} took the role of ${who} back`,
};

const menu = byId("menu");
const slow = byId("slow");
const names = new Map();

/** Whether `role` stands as high as `other`, or higher. */
export function reaches(role, other) {
  return (RANKS[role] ?? 0) >= RANKS[other];
}

/** Remembers who is called what, for what is told of them later. */
export function nameOf(uid, name) {
  if (name) names.set(uid, name);
  return names.get(uid) || uid;
}

/** Wires the menu and slow mode; `moderate(asked)` does it, `role()` is the visitor's own. */
export function wireModeration(moderate, role) {
  const ask = async (asked) => {
    try {
      await moderate(asked);
    } catch (error) {
      showNote(`Not done: ${error.message}`);
    }
  };
  byId("log").addEventListener("click", ({ target }) => {
    const name = target.closest("button.name");
    if (name) openMenu(name, role(), ask);
  });
  slow.addEventListener("click", () => {
    const isOn = slow.getAttribute("aria-pressed") === "true";
    ask(isOn ? { action: "unslow" } : { action: "slow", intervalS: SLOW_S });
  });
}

/** Shows what a role may use. */
export function showRole(role) {
  slow.hidden = !reaches(role, "moderator");
  byId("log").classList.toggle("moderating", reaches(role, "moderator"));
  if (slow.hidden) menu.hidePopover();
}

/** Tells what a moderator has done. */
export function showModeration(frame) {
  const time = frame.until_ms ? ` until ${clock(frame.until_ms)}` : "";
  const words = TOLD[frame.action]?.(nameOf(frame.by, frame.name), nameOf(frame.uid), time, frame);
  if (!words) return;
  showNote(frame.reason ? `${words}: ${frame.reason}` : `${words}.`);
  if (frame.action === "slow" || frame.action === "unslow") {
    slow.setAttribute("aria-pressed", String(frame.action === "slow"));
  }
}

/** Says in words why something was refused. */
export function whyRefused({ code, field, message, retryAfterMs }) {
  if (code === "muted") return retryAfterMs ? `you are muted until ${clock(Date.now() + retryAfterMs)}` : "you are muted";
  if (code === "rate_limited" && field === "room") return `slow mode: wait ${Math.ceil(retryAfterMs / 1000)} s`;
  return message;
}

/** Shows that the visitor is in the room no more, and why; `comeBack` joins again. */
export function showRemoved({ reason, untilMs, message }, comeBack) {
  const banned = reason === "banned";
  const until = untilMs ? ` until ${clock(untilMs)}` : "";
  byId("removed-title").textContent = banned ? "You are banned" : "You were sent out";
  byId("removed-text").textContent = banned
    ? `A moderator has closed this room to you${until}.`
    : "A moderator has sent you out of the room. You may come back.";
  byId("removed-reason").textContent = message ? `“${message}”` : "";
  byId("removed-back").hidden = banned;
  byId("removed-back").onclick = () => {
    byId("removed").close();
    comeBack();
  };
  announce(byId("removed-title").textContent);
  if (!byId("removed").open) byId("removed").showModal();
}

function openMenu(name, role, ask) {
  const { uid } = name.dataset;
  menu.replaceChildren(make("b", "", name.textContent));
  for (const offer of OFFERS.filter((each) => reaches(role, each.role))) {
    const button = make("button", "", offer.label);
    button.type = "button";
    button.dataset.action = offer.ask.action;
    button.addEventListener("click", () => {
      menu.hidePopover();
      ask({ ...offer.ask, uid });
    });
    menu.append(button);
  }
  menu.showPopover();
  place(name.getBoundingClientRect());
  menu.querySelector("button").focus();
}

function place({ left, bottom, top }) {
  const room = innerHeight - bottom - menu.offsetHeight - 8;
  menu.style.top = `${room > 0 ? bottom + 4 : Math.max(8, top - menu.offsetHeight - 4)}px`;
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8))}px`;
}

function clock(ms) {
  return new Date(ms).toLocaleTimeString([], { timeStyle: "short" });
}
