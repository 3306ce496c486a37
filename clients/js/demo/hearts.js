/** The like button, floating hearts (one's own at once, others' from the totals), the total. */

import { byId, calm, icon, replay } from "./look.js";

const MOST_HEARTS = 60;
const MOST_PER_TOTAL = 24;
const HOLD_MS = 110;
const COUNT_UP_MS = 900;

const field = byId("hearts");
const total = byId("total");
const number = byId("likes");
const rate = byId("rate");

let shown = 0;
let target = 0;
let counting = 0;
let own = 0;
let rateTimer = 0;

/** Lets the button call `like(count)`; holding it, or its key, likes on. */
export function wireLikeButton(button, like) {
  let holding = 0;
  const once = () => {
    own += 1;
    like(1);
    float();
    replay(total, "beat");
  };
  const stop = () => clearInterval(holding);
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    once();
    stop();
    holding = setInterval(once, HOLD_MS);
  });
  for (const type of ["pointerup", "pointerleave", "pointercancel"]) {
    button.addEventListener(type, stop);
  }
  // A click without a pointer is a key's, or an assistive tool's.
  button.addEventListener("click", (event) => {
    if (event.detail === 0) once();
  });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}

/** Shows the room's total as it is when the page joins. */
export function startTotal(likes) {
  target = shown = likes;
  draw();
}

/** Takes a new total: counts up to it and floats hearts for what others gave. */
export function takeTotal(likes) {
  const grown = likes - target;
  if (grown <= 0) return;
  const others = Math.max(0, grown - own);
  own = Math.max(0, own - grown);
  for (let i = 0; i < Math.min(others, MOST_PER_TOTAL); i += 1) {
    setTimeout(float, (i / Math.min(others, MOST_PER_TOTAL)) * 950);
  }
  showRate(grown);
  countUp(likes);
}

function showRate(grown) {
  rate.textContent = `+${grown.toLocaleString()}`;
  clearTimeout(rateTimer);
  rateTimer = setTimeout(() => (rate.textContent = ""), 1500);
}

function countUp(likes) {
  cancelAnimationFrame(counting);
  const from = shown;
  const began = performance.now();
  target = likes;
  if (calm.matches) {
    shown = likes;
    draw();
    return;
  }
  const step = (now) => {
    const part = Math.min(1, Math.max(0, (now - began) / COUNT_UP_MS));
    shown = Math.round(from + (target - from) * part);
    draw();
    if (part < 1) counting = requestAnimationFrame(step);
  };
  counting = requestAnimationFrame(step);
}

function draw() {
  number.textContent = shown.toLocaleString();
}

function float() {
  if (calm.matches || document.hidden || field.childElementCount >= MOST_HEARTS) return;
  const heart = icon("icon-heart");
  heart.classList.add("heart");
  heart.style.setProperty("--hue", 330 + Math.random() * 50);
  heart.style.right = `${20 + Math.random() * 40}px`;
  field.append(heart);
  const rise = field.clientHeight * (0.55 + Math.random() * 0.4);
  const sway = (Math.random() - 0.5) * 90;
  const size = 0.7 + Math.random() * 0.8;
  const turn = (Math.random() - 0.5) * 50;
  const flight = heart.animate(
    [
      { transform: "translate(0, 20px) scale(.2)", opacity: 0 },
      { transform: `translate(${-sway / 2}px, ${-rise * 0.2}px) scale(${size})`, opacity: 1, offset: 0.15 },
      { transform: `translate(${sway}px, ${-rise * 0.6}px) scale(${size}) rotate(${turn}deg)`, opacity: 0.9, offset: 0.6 },
      { transform: `translate(${sway / 3}px, ${-rise}px) scale(${size * 0.8}) rotate(${-turn}deg)`, opacity: 0 },
    ],
    { duration: 2200 + Math.random() * 1200, easing: "ease-out" },
  );
  flight.onfinish = () => heart.remove();
}
