/** What stands around the picture: figures, alerts, rooms by heat, and every node in a table. */

import { LANES } from "./cluster.js";
import { html, keep, set, write } from "./elements.js";
import { duration, short, sum } from "./numbers.js";

/** Writes the figures of the whole cluster into `parent`. */
export function drawFigures(parent, { totals }) {
  const figures = [
    ["Connections", short(totals.connections), "clients on all access nodes"],
    ["Deliveries /s", short(total(totals.deliveries)), lanes(totals.deliveries)],
    ["Waiting", short(total(totals.waiting)), lanes(totals.waiting)],
    ["Bus lag", short(totals.lag), "records on the bus"],
    ["Drops /s", short(totals.dropsPerS), `${short(totals.skippedPerS)} /s told as skipped`, totals.dropsPerS > 0],
    ["Relays", `${totals.relaysUp}/${totals.relays}`, "up", totals.relaysUp < totals.relays],
    ["Links", `${totals.links}/${totals.wanted}`, `${short(totals.fullMesh)} in a full mesh`, totals.links < totals.wanted],
  ];
  const make = () => html("div", {}, html("span"), html("b"), html("small"));
  keep(parent, figures, ([name]) => name, make, (element, [name, value, note, bad]) => {
    element.toggleAttribute("data-bad", Boolean(bad));
    for (const [index, text] of [name, value, note].entries()) write(element.children[index], text);
  });
}

/** Writes the alerts, or that there are none. */
export function drawAlerts(list, count, { alerts }) {
  write(count, alerts.length ? String(alerts.length) : "");
  const shown = alerts.length ? alerts : [{ alert: "none", severity: "none", region: "", node: "", summary: "Nothing to look at." }];
  const make = () => html("li", {}, html("b"), html("span"), html("small"));
  keep(list, shown, ({ alert, region, node }) => `${alert} ${region} ${node}`, make, (element, { alert, severity, region, summary }) => {
    set(element, { "data-severity": severity });
    write(element.children[0], severity === "none" ? "" : severity);
    write(element.children[1], summary);
    write(element.children[2], severity === "none" ? "" : [alert.replace("Relaymesh", ""), region].filter(Boolean).join(" · "));
  });
}

/** Writes the hottest rooms; a full bar is a room at its threshold. */
export function drawRooms(list, count, { rooms }) {
  write(count, rooms.length ? String(rooms.length) : "");
  const shown = rooms.length ? rooms : [{ room: "", state: "none", per_s: [] }];
  const make = () => html("li", {}, html("b"), html("span", { class: "state" }), html("meter", { min: 0, max: 1, low: 0.5, high: 0.9, optimum: 0 }), html("small"));
  keep(list, shown, ({ room }) => room, make, (element, { room, state, pool, online, per_s: perS, pressure = 0 }) => {
    set(element, { "data-heat": state });
    write(element.children[0], room || "Nobody is talking.");
    write(element.children[1], room ? state : "");
    set(element.children[2], { value: Math.min(1, pressure), "aria-label": `${Math.round(pressure * 100)} % of the threshold` });
    const where = pool ? ` · pool ${pool}` : "";
    write(element.children[3], room ? `${short(online ?? 0)} viewers · ${short(total(perS ?? []))} messages/s${where}` : "");
  });
}

/** Writes a row for each node, those in trouble first. */
export function drawNodes(body, count, { nodes }) {
  write(count, String(nodes.length));
  const rows = [...nodes].sort((a, b) => TROUBLE[a.state] - TROUBLE[b.state]);
  const make = () => html("tr", {}, html("th", { scope: "row" }), ...Array.from({ length: 10 }, () => html("td")));
  keep(body, rows, ({ key }) => key, make, (element, node) => {
    set(element, { "data-state": node.state, "data-role": node.role });
    for (const [index, text] of cells(node).entries()) write(element.children[index], String(text));
  });
}

const TROUBLE = { down: 0, waiting: 1, draining: 2, up: 3 };

function cells(node) {
  const isAccess = node.role === "access";
  return [
    node.id,
    node.region,
    node.state === "down" ? `down, ${duration(node.silent_s ?? 0)}` : node.state,
    node.links,
    isAccess ? short(node.connections) : "–",
    node.rooms || "–",
    short(node.inPerS),
    short(node.outPerS),
    short(sum(node.lane_depths)),
    short(sum(node.drops)),
    isAccess ? short(sum(node.skipped)) : "–",
  ];
}

function total(numbers) {
  return numbers.reduce((sofar, each) => sofar + each, 0);
}

function lanes(numbers) {
  return LANES.map((lane, index) => `${short(numbers[index])} ${lane}`).join(" · ");
}
