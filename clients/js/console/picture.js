/** Draws the cluster as SVG. What stays is kept, so that traffic goes on flowing between two looks. */

import { LANES } from "./cluster.js";
import { keep, set, svg, write } from "./elements.js";
import { layout } from "./layout.js";
import { short } from "./numbers.js";

const MANY_STRANDS = 420;
/** More are drawn thin, and do not move: a browser has other work to do. */

const IDLE_PER_S = 1.5;
/** A link without traffic answers a ping a second on each lane. */

export class Picture {
  #root = svg("svg", { role: "img" });
  #layers;

  constructor(frame) {
    const layer = (name) => svg("g", { class: name });
    this.#layers = Object.fromEntries(["panels", "trunks", "links", "labels", "nodes"].map((n) => [n, layer(n)]));
    this.#root.append(...Object.values(this.#layers));
    frame.append(this.#root);
  }

  /** Draws `cluster` as wide as the frame is. */
  draw(cluster) {
    const width = Math.max(300, this.#root.parentElement.clientWidth);
    const scene = layout(cluster, width);
    const dense = cluster.links.length * LANES.length > MANY_STRANDS;
    set(this.#root, {
      viewBox: `0 0 ${width} ${Math.ceil(scene.height)}`,
      width,
      height: Math.ceil(scene.height),
      "data-dense": dense ? "" : null,
      "aria-label": words(cluster),
    });
    this.#panels(scene.panels);
    this.#links(cluster.links, scene.places, dense);
    this.#trunks(scene.trunks);
    this.#nodes(cluster.nodes, scene.places);
    keep(this.#layers.labels, scene.groups, ({ key }) => key, () => svg("text"), (element, { x, y, anchor, text }) => {
      set(element, { x, y, "text-anchor": anchor });
      write(element, text);
    });
  }

  /** Has the links of one node, or of none, stand out. */
  highlight(key) {
    this.#root.toggleAttribute("data-focused", Boolean(key));
    for (const link of this.#layers.links.children) {
      link.toggleAttribute("data-lit", Boolean(key) && [link.dataset.from, link.dataset.to, link.dataset.key].includes(key));
    }
  }

  #panels(panels) {
    keep(this.#layers.panels, panels, ({ region }) => region.name, makePanel, (element, { region, x, y, width, height }) => {
      const [box, title, line] = element.children;
      const living = region.nodes.filter(({ state }) => state !== "down");
      set(element, { "data-answers": region.answers ? null : "no", transform: `translate(${x} ${y})` });
      set(box, { width, height });
      write(title, region.name);
      const connections = living.reduce((total, node) => total + (node.connections || 0), 0);
      write(line, region.answers ? `${living.length} nodes · ${short(connections)} connections` : "does not answer");
    });
  }

  #links(links, places, dense) {
    const drawn = links.filter(({ from, to }) => places.has(from) && places.has(to));
    const make = () => svg("g", { class: "link" }, ...["hit", "base", ...LANES].map((name) => svg("path", { class: name, "data-lane": name })));
    keep(this.#layers.links, drawn, ({ key }) => key, make, (element, link) => {
      Object.assign(element.dataset, { from: link.from, to: link.to });
      const [from, to] = [places.get(link.from), places.get(link.to)];
      const [hit, base, ...strands] = element.children;
      set(hit, { d: curve(from, to, 0) });
      set(base, { d: curve(from, to, 0) });
      for (const [index, strand] of strands.entries()) {
        const lane = link.lanes[LANES[index]];
        drawStrand(strand, lane, curve(from, to, (index - 1) * (dense ? 1.3 : 4.5)), dense ? 1.3 : 4);
      }
    });
  }

  #trunks(trunks) {
    const make = () => {
      const [label, text] = [svg("rect", { rx: 9, width: 40, height: 18 }), svg("text", { "text-anchor": "middle" })];
      return svg("g", { class: "trunk link" }, ...["hit", "base", ...LANES].map((name) => svg("path", { class: name, "data-lane": name })), label, text);
    };
    keep(this.#layers.trunks, trunks, ({ trunk }) => trunk.key, make, (element, { trunk, path, aside, x, y }) => {
      const [hit, base, ...rest] = element.children;
      const [label, text] = rest.splice(LANES.length);
      for (const each of [hit, base]) set(each, { d: path });
      set(element, { "data-whole": trunk.links.length < trunk.wanted ? "no" : null });
      for (const [index, strand] of rest.entries()) {
        drawStrand(strand, trunk.lanes[LANES[index]], path, 3);
        set(strand, { transform: `translate(${aside.map((axis) => axis * (index - 1) * 4).join(" ")})` });
      }
      set(label, { x: x - 20, y: y - 9 });
      set(text, { x, y: y + 4 });
      write(text, `${trunk.links.length}/${trunk.wanted}`);
    });
  }

  #nodes(nodes, places) {
    const drawn = nodes.filter(({ key }) => places.has(key));
    keep(this.#layers.nodes, drawn, ({ key }) => key, makeNode, (element, node) => {
      const { x, y, size, label, angle } = places.get(node.key);
      Object.assign(element.dataset, { node: node.id, region: node.region, role: node.role, state: node.state });
      element.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
      const [shape, mark, name] = element.children;
      set(shape, { d: SHAPES[node.role]?.(size) ?? circle(size) });
      write(mark, node.state === "down" ? "×" : label === "number" ? numberOf(node.id) : "");
      set(name, labelPlace(label, angle, size));
      write(name, label === "number" ? "" : node.id);
      element.toggleAttribute("data-pool", Boolean(node.pool));
    });
  }
}

function makePanel() {
  return svg("g", { class: "region" }, svg("rect", { rx: 16 }), svg("text", { class: "name", x: 18, y: 28 }), svg("text", { class: "line", x: 18, y: 46 }));
}

function makeNode() {
  return svg("g", { class: "node" }, svg("path", { class: "shape" }), svg("text", { class: "mark", "text-anchor": "middle", y: 3.5 }), svg("text", { class: "label" }));
}

function drawStrand(strand, lane, path, widest) {
  const total = lane.inPerS + lane.outPerS;
  const flows = total > IDLE_PER_S * 2;
  set(strand, {
    d: path,
    "stroke-width": flows ? (widest * Math.min(1, 0.25 + Math.log10(total) * 0.19)).toFixed(2) : null,
    "data-flow": flows ? (lane.outPerS >= lane.inPerS ? "out" : "in") : null,
    "data-speed": flows ? Math.min(4, 1 + Math.floor(Math.log10(total))) : null,
    "data-waiting": lane.depth > 100 ? "" : null,
  });
}

/** A line that bends towards the middle of the region, `aside` from where the others go. */
function curve(from, to, aside) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const [nx, ny] = [(-dy / length) * aside, (dx / length) * aside];
  const bent = (axis) => (from[axis] + to[axis]) / 2 * 0.7 + from.center[axis] * 0.3;
  const at = (x, y) => `${(x + nx).toFixed(1)} ${(y + ny).toFixed(1)}`;
  return `M${at(from.x, from.y)}Q${at(bent("x"), bent("y"))} ${at(to.x, to.y)}`;
}

function circle(size) {
  return `M${-size} 0a${size} ${size} 0 1 0 ${2 * size} 0a${size} ${size} 0 1 0 ${-2 * size} 0Z`;
}

function polygon(size, corners, turn) {
  const points = Array.from({ length: corners }, (_, index) => {
    const angle = (index / corners) * 2 * Math.PI + turn;
    return `${(size * Math.cos(angle)).toFixed(1)} ${(size * Math.sin(angle)).toFixed(1)}`;
  });
  return `M${points.join("L")}Z`;
}

const SHAPES = {
  relay: (size) => polygon(size * 1.1, 6, Math.PI / 6),
  router: (size) => polygon(size * 1.3, 4, 0),
  logic: (size) => polygon(size * 1.25, 4, Math.PI / 4),
};

function labelPlace(label, angle, size) {
  if (label === "below") return { x: 0, y: size + 17, "text-anchor": "middle" };
  return { x: 0, y: Math.sin(angle) < -0.1 ? -(size + 9) : size + 18, "text-anchor": "middle" };
}

function numberOf(id) {
  return /(\d{1,3})$/.exec(id)?.[1] ?? "";
}

function words({ regions, totals }) {
  const places = regions.length > 1 ? `${regions.length} regions, ` : "";
  return `Topology: ${places}${totals.relaysUp} of ${totals.relays} relays up, ${totals.links} links, ${totals.down} nodes down`;
}
