/** Small things that several parts of the page draw with. */

export const byId = (id) => document.getElementById(id);

export const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Makes an element with a class and text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Makes an icon of the page's sprite. */
export function icon(id) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${id}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A colour that stays with a user. */
export function hueOf(uid) {
  let hash = 7;
  for (const letter of uid) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  // The golden angle keeps neighbours apart.
  return Math.round(hash * 137.508) % 360;
}

/** Dresses `element` as the avatar of a user. */
export function dressAvatar(element, uid, name) {
  element.textContent = [...(name || uid)][0]?.toUpperCase() ?? "?";
  element.style.setProperty("--hue", hueOf(uid));
  element.setAttribute("aria-hidden", "true");
  return element;
}

const announcement = byId("announce");

/** Says `text` to screen readers. */
export function announce(text) {
  announcement.textContent = text;
}

/** Plays a CSS animation class from its beginning. */
export function replay(element, className) {
  element.classList.remove(className);
  void element.offsetWidth;
  element.classList.add(className);
}
