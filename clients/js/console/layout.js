/**
 * Where everything stands in the picture. Pure: from the cluster and a width in pixels to places.
 *
 * Each region is a panel. In its middle stand the relays, around them, on an ellipse, all that dials
 * them, grouped by role: so no link passes through a node. Trunks between regions go around the panels.
 */

const GAP = 18;
const ASIDE = 44;
const HEAD = 50;
const FOOT = 16;
const LEAST_WIDTH = 330;
const TRUNK_ROOM = 60;
const TRUNK_ASIDE = 46;
const RING_STEP = 25;
const LEAST_SPACING = 18;
const LABEL_SPACING = 66;
const RELAY_SPACING = 58;
const LABEL_AWAY = 30;
const SAMPLES = 360;
const ROLES = ["access", "logic", "router"];

/** Returns `{width, height, panels, places, trunks}`; `places` by the nodes' keys. */
export function layout(cluster, width) {
  const { regions } = cluster;
  const several = regions.length > 1;
  const columns = Math.max(1, Math.min(regions.length, Math.floor((width + GAP) / (LEAST_WIDTH + GAP))));
  // Trunks go below a row of panels, and at the side of a column.
  const margin = several && columns === 1 ? TRUNK_ASIDE : 0;
  const panelWidth = (width - margin - GAP * (columns - 1)) / columns;
  const ry = heightOf(Math.max(...regions.map(({ nodes }) => nodes.length)), panelWidth);
  const panelHeight = HEAD + FOOT + 2 * (ry + 40);
  const rowGap = GAP + (several && columns > 1 ? TRUNK_ROOM : 0);
  const panels = regions.map((region, index) => {
    const x = (index % columns) * (panelWidth + GAP);
    const y = Math.floor(index / columns) * (panelHeight + rowGap);
    return { region, x, y, width: panelWidth, height: panelHeight };
  });
  const places = new Map();
  const groups = [];
  for (const panel of panels) place(panel, ry, places, groups);
  const rows = Math.ceil(regions.length / columns);
  const height = rows * panelHeight + (rows - 1) * rowGap + (columns > 1 ? TRUNK_ROOM : 0);
  return { width, height, panels, places, groups, trunks: trunks(cluster, panels, columns) };
}

function heightOf(nodes, panelWidth) {
  const tallest = (panelWidth / 2 - ASIDE) * 1.5;
  return Math.max(96, Math.min(tallest, 130 + nodes * 2, 215));
}

function place(panel, ry, places, groups) {
  const center = { x: panel.x + panel.width / 2, y: panel.y + HEAD + ry + 40 };
  const rx = Math.min(panel.width / 2 - ASIDE, ry * 2.4);
  const { nodes } = panel.region;
  const around = groupsOf(nodes.filter(({ role }) => role !== "relay"));
  const walk = perimeter(rx, ry);
  const slots = around.reduce((total, group) => total + group.nodes.length + 1, 0);
  const spacing = walk.length / Math.max(slots, 1);
  const named = spacing >= LABEL_SPACING;
  placeRelays(nodes.filter(({ role }) => role === "relay"), center, rx, ry, named, places);
  // The first group, the access nodes, has its middle at the top.
  let at = -((around[0]?.nodes.length ?? 0) - 1) / 2;
  for (const group of around) {
    const middle = walk.point((at + (group.nodes.length - 1) / 2) * spacing);
    if (!named && !group.pool) groups.push({ ...label(center, middle, rx, ry), text: group.name, key: `${panel.region.name}/${group.name}` });
    for (const [index, node] of group.nodes.entries()) {
      const deep = depth(index, spacing);
      const angle = walk.point((at + index) * spacing);
      places.set(node.key, {
        x: center.x + (rx - deep) * Math.cos(angle),
        y: center.y + (ry - deep) * Math.sin(angle),
        center,
        angle,
        size: named ? 14 : 10,
        label: named ? "outside" : "number",
      });
    }
    at += group.nodes.length + 1;
  }
}

/** A group is a role; dedicated nodes are a group for each pool. */
function groupsOf(nodes) {
  const groups = new Map();
  const order = (node) => ROLES.indexOf(node.role) + (node.pool ? 0.5 : 0);
  for (const node of [...nodes].sort((a, b) => order(a) - order(b))) {
    const name = node.pool ? `pool ${node.pool}` : node.role;
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(node);
  }
  return [...groups].map(([name, its]) => ({
    name: its.length > 1 ? `${name} ×${its.length}` : name,
    pool: its[0].pool,
    nodes: its,
  }));
}

/** Where there are more nodes than fit side by side, every second one stands further in. */
function depth(index, spacing) {
  const rings = Math.min(4, Math.ceil(LEAST_SPACING / spacing));
  return (index % rings) * RING_STEP;
}

function label(center, angle, rx, ry) {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const middle = sin < 0 || Math.abs(cos) < 0.2;
  return {
    x: center.x + rx * cos + (middle ? 0 : Math.sign(cos) * 6),
    y: center.y + ry * sin + Math.sign(sin) * (sin < 0 ? 22 : LABEL_AWAY),
    anchor: middle ? "middle" : cos > 0 ? "start" : "end",
  };
}

function placeRelays(relays, center, rx, ry, large, places) {
  const inRow = relays.length <= 4;
  const span = Math.min(rx * 1.1, (relays.length - 1) * (large ? 190 : 150));
  const label = inRow && span / Math.max(1, relays.length - 1) >= RELAY_SPACING ? "below" : "number";
  for (const [index, relay] of relays.entries()) {
    const share = relays.length > 1 ? index / (relays.length - 1) - 0.5 : 0;
    const angle = (index / relays.length) * 2 * Math.PI - Math.PI / 2;
    const offset = inRow
      ? { x: share * span, y: 0 }
      : { x: Math.cos(angle) * Math.min(rx * 0.5, ry), y: Math.sin(angle) * ry * 0.48 };
    places.set(relay.key, { x: center.x + offset.x, y: center.y + offset.y, center, angle: Math.PI / 2, size: large ? 22 : 16, label: relays.length > 1 ? label : "below" });
  }
}

/** Returns the length around an ellipse, and the angle at a distance along it, 0 being the top. */
function perimeter(rx, ry) {
  const lengths = [0];
  const at = (index) => (index / SAMPLES) * 2 * Math.PI - Math.PI / 2;
  for (let index = 1; index <= SAMPLES; index += 1) {
    const [a, b] = [at(index - 1), at(index)];
    const step = Math.hypot(rx * (Math.cos(b) - Math.cos(a)), ry * (Math.sin(b) - Math.sin(a)));
    lengths.push(lengths.at(-1) + step);
  }
  const length = lengths.at(-1);
  const point = (distance) => {
    const wanted = ((distance % length) + length) % length;
    const above = lengths.findIndex((each) => each > wanted);
    const index = above < 0 ? SAMPLES : above;
    const before = lengths[index - 1];
    return at(index - 1 + (wanted - before) / (lengths[index] - before));
  };
  return { length, point };
}

/** Below a row of panels, the further apart the deeper; at the right of a column. */
function trunks({ trunks: all }, panels, columns) {
  const panelOf = new Map(panels.map((panel, index) => [panel.region.name, { ...panel, index }]));
  return all.filter(({ ends }) => ends.every((end) => panelOf.has(end))).map((trunk, number) => {
    const [a, b] = trunk.ends.map((end) => panelOf.get(end)).sort((one, other) => one.index - other.index);
    const near = b.index - a.index === 1;
    if (columns === 1) {
      const [from, to] = [a.y + a.height * (0.56 + number * 0.04), b.y + b.height * (0.4 - number * 0.04)];
      const x = a.x + a.width;
      const bend = near ? 20 : 40;
      return { trunk, aside: [1, 0], path: `M${x} ${from}C${x + bend} ${from} ${x + bend} ${to} ${x} ${to}`, x: x + Math.min(bend * 0.75, TRUNK_ASIDE - 22), y: (from + to) / 2 + (near ? 0 : 30) };
    }
    const bottom = Math.max(a.y, b.y) + a.height;
    const [from, to] = [a.x + a.width * (near ? 0.62 : 0.4), b.x + b.width * (near ? 0.38 : 0.6)];
    const bend = near ? 30 : 56;
    const start = `M${from} ${a.y + a.height}`;
    return { trunk, aside: [0, 1], path: `${start}C${from} ${bottom + bend} ${to} ${bottom + bend} ${to} ${b.y + b.height}`, x: (from + to) / 2, y: bottom + bend * 0.75 };
  });
}
