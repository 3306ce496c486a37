/**
 * A live room. URL: ?room=lobby&name=Ann&host=1&node=access-2 (all optional; `node` is
 * taken first, whatever the gateway prefers; when it is away the page goes elsewhere).
 */

import { RelaymeshClient } from "./relaymesh.js";
import { showFailed, showMessage, showNote, showPending } from "./chat.js";
import { fillTray, showGift } from "./gifts.js";
import { startTotal, takeTotal, wireLikeButton } from "./hearts.js";
import { byId, dressAvatar, replay } from "./look.js";
import { nameOf, showModeration, showRemoved, showRole, whyRefused, wireModeration } from "./moderation.js";
import { demoReceipt } from "./receipt.js";
import { wireTheme } from "./theme.js";
import { demoToken } from "./token.js";
import { countFault, showCarrier, showNode, showState, tookOwn, tookPush } from "./wire.js";

const HISTORY = 30;
const asked = new URLSearchParams(location.search);
const sentAt = new Map();
let me = { uid: "", name: "", room: "", role: "viewer" };

wireTheme(byId("theme"));
wireTray();
wireInvite();
if (asked.get("name")) enter(asked.get("name"), asked.get("room") || "lobby", asked.get("host") === "1");
else welcome();

function welcome() {
  byId("welcome-name").value = localStorage.getItem("name") ?? "";
  byId("welcome-room").value = asked.get("room") || "lobby";
  byId("welcome-host").checked = asked.get("host") === "1";
  byId("welcome").addEventListener("cancel", (event) => event.preventDefault());
  byId("welcome-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("welcome-name").value.trim();
    if (!name) return;
    localStorage.setItem("name", name);
    byId("welcome").close();
    enter(name, byId("welcome-room").value, byId("welcome-host").checked);
  });
  byId("welcome").showModal();
}

async function enter(name, room, host) {
  me = { ...me, name, room };
  byId("room-name").textContent = room;
  document.title = `${room} · relaymesh`;
  const client = new RelaymeshClient({
    gateway: location.origin,
    client: "relaymesh-demo/0.1",
    token: () => demoToken({ name, room, host }),
    prefer: (endpoints) => nodeFirst(endpoints, asked.get("node")),
  });
  listen(client);
  wireComposer(client);
  wireLikeButton(byId("like"), (count) => client.like(room, count));
  fillTray(byId("tray"), ({ gift, value }) => give(client, gift, value));
  wireModeration((asked) => client.moderate(room, asked), () => me.role);
  addEventListener("pagehide", () => client.close());
  await join(client);
}

async function join(client) {
  try {
    await client.join(me.room, { history: HISTORY });
  } catch (error) {
    if (error.code !== "banned") showState("closed", error.message); // that is told as "left"
  }
}

function nodeFirst(endpoints, node) {
  return [...endpoints].sort((a, b) => (b.node === node) - (a.node === node));
}

function listen(client) {
  client.on("connected", ({ uid, node }) => {
    me.uid = uid;
    showNode(node);
    showState("connected");
  });
  client.on("moved", ({ newNode }) => showState("connected", `Moved to ${newNode}`));
  client.on("disconnected", ({ reconnecting, retryMs, reason }) => {
    if (reason === "moved") return; // the next connection is open already
    showState("connecting", reconnecting ? `Back in ${(retryMs / 1000).toFixed(1)} s` : "Closed");
    countFault("reconnects");
  });
  client.on("closed", ({ error }) => showState("closed", error.message));
  client.on("joined", joined);
  client.on("left", ({ error }) => {
    if (error?.code !== "banned") return;
    const untilMs = error.retryAfterMs && Date.now() + error.retryAfterMs;
    showRemoved({ reason: "banned", untilMs }, () => join(client));
  });
  client.on("removed", (removed) => showRemoved(removed, () => join(client)));
  client.on("push", pushed);
  client.on("skipped", ({ priority, first, last }) => missed("skipped", priority, first, last));
  client.on("lost", ({ priority, first, last }) => missed("lost", priority, first, last));
  client.on("reset", ({ priority }) => {
    if (priority === "normal") showNote("Some messages are gone: the room starts anew here.");
  });
}

function joined({ online, likes, carrier, role, resumed }) {
  takeRole(role);
  byId("online").textContent = online.toLocaleString();
  showCarrier(carrier);
  if (resumed) takeTotal(likes);
  else startTotal(likes);
}

function takeRole(role) {
  me.role = role;
  byId("speak").hidden = role !== "host";
  showRole(role);
}

function missed(kind, priority, first, last) {
  countFault(kind, last - first + 1);
  if (priority !== "bulk") showNote(`${last - first + 1} messages did not come through.`);
}

const SHOW = {
  chat: (frame) => showMessage(frame, "chat", me.uid),
  gift(frame, priority) {
    showMessage(frame, "gift", me.uid);
    if (isFresh(frame)) showGift(frame, priority === "urgent");
  },
  speech(frame) {
    showMessage(frame, "speech", me.uid);
    showSpeech(frame);
  },
  notice: (frame) => showNote(typeof frame.data === "string" ? frame.data : JSON.stringify(frame.data)),
  moderation(frame) {
    showModeration(frame);
    if (frame.uid !== me.uid || !isFresh(frame)) return;
    if (frame.action === "grant") takeRole(frame.role);
    if (frame.action === "revoke_role") takeRole("viewer");
  },
  likes: (frame) => takeTotal(frame.total),
  online: (frame) => (byId("online").textContent = frame.online.toLocaleString()),
};

function pushed({ kind, priority, seq, frame }) {
  if (kind !== "moderation") nameOf(frame.uid, frame.name);
  SHOW[kind]?.(frame, priority);
  tookPush(Date.now() - frame.ts, priority, seq);
  const began = sentAt.get(frame.mid);
  if (began === undefined) return;
  sentAt.delete(frame.mid);
  tookOwn(performance.now() - began);
}

/** History is shown in the list; only what happens now takes the stage. */
function isFresh(frame) {
  return Date.now() - frame.ts < 10_000;
}

function showSpeech({ uid, name, text, ts }) {
  dressAvatar(byId("spotlight-avatar"), uid, name);
  byId("spotlight-name").textContent = name || uid;
  byId("spotlight-text").textContent = text;
  byId("spotlight-time").textContent = new Date(ts).toLocaleTimeString([], { timeStyle: "short" });
  byId("spotlight").hidden = false;
  byId("idle").hidden = true;
  replay(byId("spotlight"), "enter");
}

function wireComposer(client) {
  const text = byId("text");
  const speak = byId("speak");
  speak.addEventListener("click", () => {
    const on = speak.getAttribute("aria-pressed") !== "true";
    speak.setAttribute("aria-pressed", String(on));
    text.placeholder = on ? "Speak to the room" : "Say something nice";
    text.focus();
  });
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    const speaking = me.role === "host" && speak.getAttribute("aria-pressed") === "true";
    const kind = speaking ? "speech" : "chat";
    const said = text.value;
    text.value = "";
    publish(kind, { text: said }, (mid) => client[kind](me.room, said, { mid }));
  });
  text.focus();
}

function give(client, gift, value) {
  publish("gift", { gift, value, count: 1, text: "" }, async (mid) => {
    const receipt = await demoReceipt({ uid: me.uid, room: me.room, gift, value });
    await client.gift(me.room, { gift, value, receipt }, { mid });
  });
}

/** Each leaves when the one before is answered: the room hears them in the order of their writing. */
let before = Promise.resolve();
function publish(kind, fields, send) {
  const mid = crypto.getRandomValues(new Uint32Array(3)).join("-");
  showPending(mid, { ...me, ...fields }, kind);
  before = before.then(() => settle(mid, send));
}

async function settle(mid, send) {
  sentAt.set(mid, performance.now());
  try {
    await send(mid);
  } catch (error) {
    sentAt.delete(mid);
    showFailed(mid, whyRefused(error));
  }
}

function wireTray() {
  const button = byId("gifts");
  const tray = byId("tray");
  const open = (on) => {
    tray.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
  };
  button.addEventListener("click", () => {
    open(tray.hidden);
    if (!tray.hidden) tray.querySelector("button")?.focus();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || tray.hidden) return;
    open(false);
    button.focus();
  });
  addEventListener("pointerdown", (event) => {
    if (!tray.hidden && !event.target.closest("#tray, #gifts")) open(false);
  });
}

function wireInvite() {
  const button = byId("invite");
  button.addEventListener("click", async () => {
    const link = new URL(location.href);
    link.search = new URLSearchParams({ room: me.room || "lobby" }).toString();
    try {
      await navigator.clipboard.writeText(link.href);
      button.textContent = "Copied";
    } catch {
      prompt("The room's link", link.href);
    }
  });
}
