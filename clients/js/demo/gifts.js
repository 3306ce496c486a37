/** Gifts: the tray, banners that add up, and big ones that take the stage one after the other. */

import { announce, byId, calm, icon, make } from "./look.js";

/** What this page sells. The server decides from value and count what is big (urgent). */
export const GIFTS = [
  { gift: "rose", title: "Rose", value: 1 },
  { gift: "star", title: "Star", value: 20 },
  { gift: "diamond", title: "Diamond", value: 200 },
  { gift: "rocket", title: "Rocket", value: 2000 },
  { gift: "crown", title: "Crown", value: 10000 },
];

const BANNER_MS = 5000;
const MOST_BANNERS = 4;
const ACT_MS = 4200;
const MOST_ACTS = 20;
const SPARKS = 70;

const banners = byId("banners");
const show = byId("show");
const running = new Map();
const acts = [];
let playing = false;

/** Returns title and icon of a gift; one that this page does not know looks like a star. */
export function lookOf(name) {
  const known = GIFTS.find((each) => each.gift === name);
  return { title: known?.title ?? name, symbol: `gift-${known?.gift ?? "star"}` };
}

/** Fills the tray with buttons that call `give(gift)`. */
export function fillTray(tray, give) {
  for (const each of GIFTS) {
    const button = make("button");
    button.type = "button";
    button.dataset.gift = each.gift;
    button.append(icon(`gift-${each.gift}`), each.title, make("small", "", each.value.toLocaleString()));
    button.setAttribute("aria-label", `Give a ${each.title}, worth ${each.value}`);
    button.addEventListener("click", () => give(each));
    tray.append(button);
  }
}

/** Shows a gift that was given: a banner, or the stage when it is urgent. */
export function showGift(frame, urgent) {
  const { title, symbol } = lookOf(frame.gift);
  const who = frame.name || frame.uid;
  announce(`${who} gives ${frame.count > 1 ? `${frame.count} times ` : ""}${title}`);
  if (urgent) {
    if (acts.length < MOST_ACTS) acts.push({ who, title, symbol, text: frame.text, count: frame.count });
    playNext();
  } else {
    showBanner(`${frame.uid}/${frame.gift}`, who, title, symbol, frame.count);
  }
}

function showBanner(key, who, title, symbol, count) {
  const entry = running.get(key) ?? newBanner(key, who, title, symbol);
  entry.count += count;
  entry.times.textContent = `×${entry.count}`;
  if (!calm.matches && entry.count > count) {
    entry.times.animate([{ scale: 1.7 }, { scale: 1 }], { duration: 260, easing: "ease-out" });
  }
  clearTimeout(entry.timer);
  entry.timer = setTimeout(() => endBanner(key), BANNER_MS);
}

function newBanner(key, who, title, symbol) {
  if (running.size >= MOST_BANNERS) endBanner(running.keys().next().value);
  const element = make("div", "gift-banner");
  const text = make("span");
  const times = make("span", "times");
  text.append(make("span", "who", who), make("span", "what", ` sends ${title}`));
  element.append(icon(symbol), text, times);
  banners.append(element);
  if (!calm.matches) {
    element.animate([{ transform: "translateX(-110%)", opacity: 0 }, {}], {
      duration: 420,
      easing: "cubic-bezier(.2,.9,.3,1.15)",
    });
  }
  const entry = { element, times, count: 0, timer: 0 };
  running.set(key, entry);
  return entry;
}

function endBanner(key) {
  const { element, timer } = running.get(key);
  clearTimeout(timer);
  running.delete(key);
  element.remove();
}

function playNext() {
  const act = acts[0];
  if (playing || !act) return;
  playing = true;
  acts.shift();
  const card = make("div", "act");
  const times = act.count > 1 ? ` ×${act.count}` : "";
  card.append(icon(act.symbol), make("strong", "", `${act.who} gives a ${act.title}${times}`));
  if (act.text) card.append(make("span", "", act.text));
  show.replaceChildren(make("div", "curtain"), card);
  if (!calm.matches) celebrate(card);
  setTimeout(() => {
    show.replaceChildren();
    playing = false;
    playNext();
  }, ACT_MS);
}

function celebrate(card) {
  card.animate(
    [
      { transform: "scale(.3) rotate(-8deg)", opacity: 0 },
      { transform: "scale(1.12) rotate(2deg)", opacity: 1, offset: 0.14 },
      { transform: "none", offset: 0.22 },
      { transform: "none", opacity: 1, offset: 0.9 },
      { transform: "translateY(-30px)", opacity: 0 },
    ],
    { duration: ACT_MS, easing: "ease-out", fill: "forwards" },
  );
  for (let i = 0; i < SPARKS; i += 1) show.append(spark());
}

function spark() {
  const element = make("i", "spark");
  element.style.setProperty("--hue", [345, 40, 195, 265, 20][Math.floor(Math.random() * 5)]);
  const angle = Math.random() * 2 * Math.PI;
  const reach = 120 + Math.random() * 380;
  const x = Math.cos(angle) * reach;
  const y = Math.sin(angle) * reach * 0.8 - 90;
  const turn = (Math.random() - 0.5) * 1400;
  element.animate(
    [
      { transform: "translate(0,0) scale(.4)", opacity: 1 },
      { transform: `translate(${x}px,${y}px) rotate(${turn / 2}deg)`, opacity: 1, offset: 0.45 },
      { transform: `translate(${x * 1.15}px,${y + 320}px) rotate(${turn}deg)`, opacity: 0 },
    ],
    { duration: 2200 + Math.random() * 1400, easing: "cubic-bezier(.1,.7,.4,1)", fill: "forwards" },
  );
  return element;
}
