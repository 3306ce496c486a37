/** How the page stands: its connection, and what waits for it. */

import { byId } from "../look.js";

const REPLACED = 4005;
const now = { state: "connecting", words: "Connecting…", waiting: 0, wasConnected: false };

/** Shows what the client told of its connection, or how it stands to its mailbox. */
export function showState({ state, standing, node, retryMs, error }) {
  if (node) byId("node").textContent = node;
  if (standing === "away") Object.assign(now, { state: "connecting", words: "Messages are away for now" });
  if (state === "connected") Object.assign(now, { state, words: "Connected", wasConnected: true });
  if (state === "connecting") Object.assign(now, { state, words: `Trying again in ${(retryMs / 1000).toFixed(1)} s` });
  if (state === "closed") Object.assign(now, { state, words: reasonOf(error) });
  draw();
}

/** Shows how many messages are not sent yet. */
export function showWaiting(waiting) {
  now.waiting = waiting;
  draw();
}

function reasonOf(error) {
  return error.code === REPLACED ? "Open in another window. Reload to use it here." : error.message;
}

function draw() {
  const { state, words, waiting, wasConnected } = now;
  byId("dot").dataset.state = state;
  byId("state").textContent = words;
  const isOffline = state !== "connected" && (wasConnected || waiting > 0 || state === "closed");
  byId("banner").hidden = !isOffline;
  const waits = waiting === 1 ? "1 message waits" : `${waiting} messages wait`;
  byId("banner").textContent = `You are offline. ${words}${waiting ? ` · ${waits} to be sent` : ""}`;
}
