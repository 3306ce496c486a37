/** The console: asks the gateway once a second, and shows what it answers. */

import { Card } from "./card.js";
import { clusterOf } from "./cluster.js";
import { write } from "./elements.js";
import { drawAlerts, drawFigures, drawNodes, drawRooms } from "./panels.js";
import { Picture } from "./picture.js";
import { Rates } from "./rates.js";
import { NotAllowedError, ask, useToken } from "./status.js";
import { wireTheme } from "./theme.js";
import { duration } from "./numbers.js";

const EVERY_MS = 1000;
const $ = (id) => document.getElementById(id);

const rates = new Rates();
const picture = new Picture($("picture"));
const card = new Card($("card"), $("picture"), (key) => picture.highlight(key));
let cluster = null;
let answeredAt = 0;
let declined = false;

function draw() {
  if (!cluster) return;
  $("board").dataset.regions = cluster.regions.length > 1 ? "several" : "one";
  picture.draw(cluster);
  drawFigures($("figures"), cluster);
  drawAlerts($("alerts"), $("alerts-count"), cluster);
  drawRooms($("rooms"), $("rooms-count"), cluster);
  drawNodes($("nodes"), $("nodes-count"), cluster);
  card.update(cluster);
}

function health(state, text) {
  $("health").dataset.state = state;
  write($("health"), text);
}

function tellHealth({ alerts, totals }) {
  const worst = alerts[0]?.severity;
  if (totals.down) health("critical", totals.down === 1 ? "1 node is down" : `${totals.down} nodes are down`);
  else if (worst) health(worst, alerts.length === 1 ? alerts[0].summary : `${alerts.length} alerts`);
  else health("good", "All is well");
}

async function look() {
  try {
    cluster = clusterOf(await ask(), rates);
    answeredAt = performance.now();
    document.body.removeAttribute("data-stale");
    draw();
    tellHealth(cluster);
    write($("seen"), "");
  } catch (error) {
    if (error instanceof NotAllowedError) await askForToken(error.message);
    else tellStale(error);
  }
}

function tellStale(error) {
  document.body.dataset.stale = "";
  health("critical", "The gateway does not answer");
  const since = answeredAt ? `as it was ${duration((performance.now() - answeredAt) / 1000)} ago` : error.message;
  write($("seen"), since);
}

/** Waits until there is a token to try. Who has declined is not asked again, until they ask to be. */
function askForToken(problem) {
  health("unknown", "A server token is needed");
  $("ask-problem").hidden = !problem;
  write($("ask-problem"), problem);
  if (declined) return null;
  if (!$("ask").open) $("ask").showModal();
  $("ask-token").focus();
  return new Promise((resolve) => $("ask").addEventListener("close", resolve, { once: true }));
}

$("ask-form").addEventListener("submit", () => {
  useToken($("ask-token").value);
  $("ask-form").reset();
});
$("ask").addEventListener("cancel", () => (declined = true));
$("ask-cancel").addEventListener("click", () => {
  declined = true;
  $("ask").close();
});
$("token").addEventListener("click", () => {
  declined = false;
  askForToken("");
});
wireTheme($("theme"));
new ResizeObserver(draw).observe($("picture"));

async function run() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
run();
