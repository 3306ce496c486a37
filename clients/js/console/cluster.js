/** The cluster as the page shows it: made of one answer of /v1/status and the rates so far. */

import { sum } from "./numbers.js";

export const LANES = ["urgent", "normal", "bulk"];

/**
 * Returns `{regions, nodes, links, trunks, rooms, alerts, pools, totals}`.
 *
 * A node has `key`, `id`, `role`, `region`, `state` (up, draining, waiting or down) and `perS`; a link
 * goes from a node to a relay of its region; a trunk joins two regions, with the links of their
 * relays in it.
 */
export function clusterOf(status, rates) {
  const regions = regionsOf(status);
  const nodes = regions.flatMap((region) => region.nodes);
  for (const node of nodes) node.perS = nodeRates(node, rates);
  const links = nodes.filter(({ role }) => role !== "relay").flatMap((node) => linksOf(node, rates));
  addUp(nodes, links);
  const cluster = {
    regions,
    nodes,
    links,
    trunks: trunksOf(nodes, rates),
    rooms: status.rooms ?? [],
    alerts: status.alerts ?? [],
    pools: status.pools ?? [],
  };
  rates.retain(new Set([...nodes, ...links, ...cluster.trunks.flatMap((t) => t.links)].map(({ key }) => key)));
  return { ...cluster, totals: totalsOf(cluster) };
}

function regionsOf(status) {
  const own = status.region || status.nodes[0]?.region || "local";
  const here = { region: own, answers: true, nodes: status.nodes, lost: status.lost ?? [] };
  const all = [here, ...(status.regions ?? [])].sort((a, b) => (a.region < b.region ? -1 : 1));
  return all.map(({ region, answers, nodes, lost }) => ({
    name: region,
    answers,
    nodes: [...nodes, ...lost].map((node) => nodeOf(node, region)).sort(byName),
  }));
}

function nodeOf(node, region) {
  const said = node.status ?? {};
  const key = `${region}/${node.id}`;
  return { ...node, said, region, key, pool: said.pool || "", state: stateOf(node, said) };
}

function stateOf(node, said) {
  if (!node.up) return "down";
  if (said.draining) return "draining";
  return said.ready === false || (node.role !== "relay" && node.links === 0) ? "waiting" : "up";
}

/** By name, with numbers in it as numbers: access-2 before access-10. */
function byName(a, b) {
  return a.id.localeCompare(b.id, "en", { numeric: true });
}

function nodeRates(node, rates) {
  const { deliveries = {}, at_s: atS = performance.now() / 1000 } = node.said;
  const counts = { drops: sum(node.drops), skipped: sum(node.skipped) };
  for (const lane of LANES) counts[lane] = deliveries[lane] ?? 0;
  return rates.look(node.key, node.incarnation, atS, counts);
}

function linksOf(node, rates) {
  return Object.entries(node.state === "down" ? {} : (node.said.uplinks ?? {})).map(([relay, link]) => ({
    ...linkOf(`${node.key}>${relay}`, node, link, rates),
    from: node.key,
    to: `${node.region}/${relay}`,
  }));
}

/** Gives each node what its links carry: what a node sends, its relay takes. */
function addUp(nodes, links) {
  const known = new Map(nodes.map((node) => [node.key, Object.assign(node, { inPerS: 0, outPerS: 0 })]));
  for (const { from, to, lanes } of links) {
    for (const { inPerS, outPerS } of Object.values(lanes)) {
      carry(known.get(from), inPerS, outPerS);
      carry(known.get(to), outPerS, inPerS);
    }
  }
}

function carry(node, inPerS, outPerS) {
  if (!node) return;
  node.inPerS += inPerS;
  node.outPerS += outPerS;
}

function trunksOf(nodes, rates) {
  const trunks = new Map();
  for (const relay of nodes.filter(({ role, state }) => role === "relay" && state !== "down")) {
    for (const [region, { uplinks = {} }] of Object.entries(relay.said.regions ?? {})) {
      const ends = [relay.region, region].sort();
      const key = ends.join("=");
      if (!trunks.has(key)) trunks.set(key, { key, ends, links: [], wanted: 0 });
      const trunk = trunks.get(key);
      trunk.wanted += relay.said.regions[region].relays ?? 0;
      for (const [other, link] of Object.entries(uplinks)) {
        const its = linkOf(`${relay.key}>${region}/${other}`, relay, link, rates);
        trunk.links.push({ ...its, from: relay.key, to: `${region}/${other}` });
      }
    }
  }
  return [...trunks.values()].map((trunk) => ({ ...trunk, lanes: merged(trunk.links) }));
}

function linkOf(key, node, link, rates) {
  const atS = node.said.at_s ?? performance.now() / 1000;
  const counts = {};
  for (const lane of LANES) {
    const { in: came = 0, out = 0, bytes_in: bytesIn = 0, bytes_out: bytesOut = 0 } = link.lanes[lane] ?? {};
    Object.assign(counts, { [`${lane} in`]: came, [`${lane} out`]: out, [`${lane} bytes`]: bytesIn + bytesOut });
  }
  const perS = rates.look(key, node.incarnation, atS, counts);
  const lanes = Object.fromEntries(LANES.map((lane) => [lane, {
    inPerS: perS[`${lane} in`] ?? 0,
    outPerS: perS[`${lane} out`] ?? 0,
    bytesPerS: perS[`${lane} bytes`] ?? 0,
    depth: link.lanes[lane]?.depth ?? 0,
    roundTripMs: link.lanes[lane]?.round_trip_ms ?? 0,
  }]));
  return { key, lanes, leaving: link.leaving };
}

function merged(links) {
  const total = (lane, figure) => links.reduce((sofar, link) => sofar + link.lanes[lane][figure], 0);
  const most = (lane) => links.reduce((sofar, link) => Math.max(sofar, link.lanes[lane].roundTripMs), 0);
  return Object.fromEntries(LANES.map((lane) => [lane, {
    inPerS: total(lane, "inPerS"),
    outPerS: total(lane, "outPerS"),
    bytesPerS: total(lane, "bytesPerS"),
    depth: total(lane, "depth"),
    roundTripMs: most(lane),
  }]));
}

function totalsOf({ regions, nodes, links }) {
  const living = nodes.filter(({ state }) => state !== "down");
  const relays = nodes.filter(({ role }) => role === "relay");
  const add = (figure) => living.reduce((total, node) => total + (figure(node) || 0), 0);
  return {
    connections: add((node) => node.connections),
    deliveries: LANES.map((lane) => add((node) => node.perS[lane])),
    waiting: LANES.map((lane) => add((node) => node.lane_depths?.[lane])),
    lag: add((node) => sum(node.lag)),
    dropsPerS: add((node) => node.perS.drops),
    skippedPerS: add((node) => node.perS.skipped),
    relays: relays.length,
    relaysUp: relays.filter(({ state }) => state !== "down").length,
    links: links.length,
    wanted: wantedLinks(living),
    fullMesh: regions.reduce((total, region) => total + count(region, "access") * count(region, "router"), 0),
    down: nodes.length - living.length,
  };
}

function count({ nodes }, role) {
  return nodes.filter((node) => node.role === role && node.state !== "down").length;
}

/** Each node to each relay of its region, of those that live. */
function wantedLinks(living) {
  return living.reduce((total, { role, region }) => {
    const here = role === "relay" ? 0 : living.filter((one) => one.role === "relay" && one.region === region).length;
    return total + here;
  }, 0);
}
