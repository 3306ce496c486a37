/** What serves this page: node, carrier, latency, positions, faults. */

import { byId } from "./look.js";

const STATES = { connecting: "Connecting…", connected: "Connected", closed: "Closed" };
const LATEST = 50;

const seqs = { urgent: 0, normal: 0, bulk: 0 };
const faults = { reconnects: 0, skipped: 0, lost: 0 };
const ownMs = [];
const pushMs = [];
let drawing = 0;

/** Shows the state of the connection, in words too. */
export function showState(state, words = STATES[state]) {
  byId("dot").dataset.state = state;
  byId("state").textContent = words;
  byId("live").toggleAttribute("data-off", state !== "connected");
}

export function showNode(node) {
  byId("node").textContent = byId("wire-node").textContent = node;
}

export function showCarrier(carrier) {
  byId("carrier").textContent = byId("wire-carrier").textContent = carrier || "–";
}

/** Takes how long an own message took to come back, in ms. */
export function tookOwn(ms) {
  keep(ownMs, ms);
  byId("own-latency").textContent = Math.round(ms);
  byId("wire-own").textContent = summary(ownMs);
}

/** Takes how old a push was on arrival by the two clocks, in ms, and where its stream is. */
export function tookPush(ms, priority, seq) {
  if (ms >= 0 && ms < 60_000) keep(pushMs, ms);
  seqs[priority] = seq;
  drawing ||= requestAnimationFrame(draw);
}

/** Counts `count` faults of a kind: `reconnects`, `skipped` or `lost`. */
export function countFault(kind, count = 1) {
  faults[kind] += count;
  byId("wire-faults").textContent = `${faults.reconnects} · ${faults.skipped} · ${faults.lost}`;
}

function draw() {
  drawing = 0;
  byId("wire-push").textContent = summary(pushMs);
  byId("wire-streams").textContent = `${seqs.urgent} · ${seqs.normal} · ${seqs.bulk}`;
}

function keep(list, value) {
  list.push(value);
  if (list.length > LATEST) list.shift();
}

function summary(list) {
  if (!list.length) return "–";
  const sorted = [...list].sort((a, b) => a - b);
  const at = (part) => Math.round(sorted[Math.floor((sorted.length - 1) * part)]);
  return `${Math.round(list.at(-1))} ms · median ${at(0.5)} · max ${at(1)}`;
}
