/** The card beside the pointer: everything about one node, link or trunk. A click pins it. */

import { LANES } from "./cluster.js";
import { html } from "./elements.js";
import { duration, short, sum } from "./numbers.js";

const ASIDE = 16;

export class Card {
  #element;
  #cluster = null;
  #shown = "";
  #pinned = false;
  #changed;

  /** `changed(key)` hears which node or link is shown, "" for none. */
  constructor(element, frame, changed) {
    this.#element = element;
    this.#changed = changed;
    frame.addEventListener("pointerover", (event) => this.#point(event));
    frame.addEventListener("pointerleave", () => this.#pinned || this.#show(""));
    frame.addEventListener("click", (event) => this.#pin(event));
    addEventListener("keydown", ({ key }) => key === "Escape" && this.#unpin());
  }

  /** Shows what is shown as it is in `cluster`. */
  update(cluster) {
    this.#cluster = cluster;
    if (this.#shown) this.#fill();
  }

  #point(event) {
    if (this.#pinned) return;
    this.#show(keyAt(event.target), event);
  }

  #pin(event) {
    const key = keyAt(event.target);
    this.#pinned = Boolean(key);
    this.#show(key, event);
    this.#element.toggleAttribute("data-pinned", this.#pinned);
  }

  #unpin() {
    this.#pinned = false;
    this.#show("");
  }

  #show(key, event) {
    if (key !== this.#shown) this.#changed(key);
    this.#shown = key;
    this.#element.hidden = !key;
    if (!key || !this.#cluster) return;
    this.#fill();
    if (event && key) this.#place(event);
  }

  #fill() {
    const found = contentOf(this.#shown, this.#cluster);
    this.#element.hidden = !found;
    if (found) this.#element.replaceChildren(...found);
  }

  #place({ clientX, clientY }) {
    const { offsetWidth: width, offsetHeight: height } = this.#element;
    const right = clientX + ASIDE + width < innerWidth;
    this.#element.style.left = `${Math.max(8, right ? clientX + ASIDE : clientX - ASIDE - width)}px`;
    this.#element.style.top = `${Math.max(8, Math.min(clientY + ASIDE, innerHeight - height - 8))}px`;
  }
}

function keyAt(target) {
  return target.closest?.(".node, .link")?.dataset.key ?? "";
}

function contentOf(key, cluster) {
  const node = cluster.nodes.find((each) => each.key === key);
  if (node) return aboutNode(node);
  const link = cluster.links.find((each) => each.key === key);
  if (link) return aboutLink(`${nameOf(link.from)} → ${nameOf(link.to)}`, link, "");
  const trunk = cluster.trunks.find((each) => each.key === key);
  return trunk && aboutLink(trunk.ends.join(" ↔ "), trunk, `${trunk.links.length} of ${trunk.wanted} links of relays`);
}

function nameOf(key) {
  return key.slice(key.indexOf("/") + 1);
}

function aboutNode(node) {
  const rows = [
    ["State", node.state === "down" ? `down, silent for ${duration(node.silent_s ?? 0)}` : STATES[node.state]],
    ["Role", node.pool ? `${node.role}, pool ${node.pool}` : node.role],
    ["Links", node.links],
    ["Connections", node.role === "access" ? short(node.connections) : null],
    ["Rooms", node.rooms || null],
    ["Deliveries /s", node.role === "access" ? LANES.map((lane) => short(node.perS[lane] ?? 0)).join(" · ") : null],
    ["Waiting", LANES.map((lane) => short(node.lane_depths?.[lane] ?? 0)).join(" · ")],
    ["Bus lag", node.lag ? short(sum(node.lag)) : null],
    ["Dropped", short(sum(node.drops))],
    ["Certificate", certificate(node)],
    ["Address", node.url || null],
  ];
  return [html("h3", { "data-state": node.state }, node.id), table(rows)];
}

function certificate({ said }) {
  const ends = said.certificate?.expires_s;
  return ends ? `${Math.floor((ends - Date.now() / 1000) / 86400)} days left` : null;
}

const STATES = {
  up: "up",
  draining: "draining: it hands its work over",
  waiting: "not ready, or without a relay",
};

function aboutLink(title, link, note) {
  const head = html("tr", {}, ...["", "in /s", "out /s", "KB/s", "waiting", "ms"].map((text) => html("th", {}, text)));
  const rows = LANES.map((lane) => {
    const { inPerS, outPerS, bytesPerS, depth, roundTripMs } = link.lanes[lane];
    const cells = [inPerS.toFixed(1), outPerS.toFixed(1), (bytesPerS / 1000).toFixed(1), depth, roundTripMs.toFixed(1)];
    return html("tr", {}, html("th", { "data-lane": lane }, lane), ...cells.map((text) => html("td", {}, String(text))));
  });
  const lanes = html("table", {}, html("thead", {}, head), html("tbody", {}, ...rows));
  return [html("h3", {}, title), note ? html("p", {}, note) : null, lanes].filter(Boolean);
}

function table(rows) {
  const shown = rows.filter(([, value]) => value !== null);
  return html("dl", {}, ...shown.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, String(value))]));
}
