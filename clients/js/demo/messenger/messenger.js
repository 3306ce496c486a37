/**
 * A messenger. URL: ?name=Ann&node=access-2 (both optional; `node` is taken first, whatever the
 * gateway prefers; when it is away the page goes elsewhere). The part after # is the open chat.
 */

import { byId, dressAvatar } from "../look.js";
import { wireTheme } from "../theme.js";
import { App } from "./app.js";
import { wireDialogs } from "./dialogs.js";
import { showState, showWaiting } from "./standing.js";

const asked = new URLSearchParams(location.search);
const KEY = "messenger.name";
let toastTimer = 0;

wireTheme(byId("theme"));
const name = asked.get("name") || localStorage.getItem(KEY);
if (name) enter(name);
else welcome();

function welcome() {
  byId("welcome-name").value = localStorage.getItem("name") ?? "";
  byId("welcome").addEventListener("cancel", (event) => event.preventDefault());
  byId("welcome-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = byId("welcome-name").value.trim();
    if (!given) return;
    localStorage.setItem(KEY, given);
    byId("welcome").close();
    enter(given);
  });
  byId("welcome").showModal();
}

function enter(given) {
  const node = asked.get("node");
  const prefer = (all) => [...all].sort((a, b) => (b.node === node) - (a.node === node));
  const app = new App(given, { state: showState, waiting: showWaiting, problem }, prefer);
  dressAvatar(byId("my-avatar"), app.me, given);
  byId("my-name").textContent = given;
  showWaiting(app.im.waiting.length);
  wireDialogs(app);
  wireThread(app);
  wireLogOut();
  const follow = () => app.show(decodeURIComponent(location.hash.slice(1)));
  addEventListener("hashchange", follow);
  follow();
  app.draw();
  addEventListener("pagehide", () => app.client.close());
  // The browser has kept the page, but its client is closed.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
}

function wireThread(app) {
  const text = byId("text");
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    app.say(text.value);
    text.value = "";
  });
  text.addEventListener("input", () => (text.value ? app.ownTyping.typed(app.open) : app.ownTyping.stopped()));
  text.addEventListener("blur", () => app.ownTyping.stopped());
  byId("back").addEventListener("click", () => app.choose(""));
  byId("talk").addEventListener("scroll", () => byId("talk").scrollTop < 120 && app.older());
  for (const type of ["visibilitychange", "focus"]) addEventListener(type, () => app.look());
  document.addEventListener("visibilitychange", () => app.look());
}

function wireLogOut() {
  byId("log-out").addEventListener("click", () => {
    localStorage.removeItem(KEY);
    location.href = location.pathname;
  });
}

function problem(text) {
  const toast = byId("toast");
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.hidden = true), 5000);
}
