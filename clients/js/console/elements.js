/** Elements, without markup in strings: nothing that a node says is ever read as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/** Returns an HTML element; `attributes` that are null are left out. */
export function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Returns an SVG element, likewise. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Sets the attributes that have changed. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

/** Writes text where it has changed. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Has `parent` hold one element for each of `items`, in their order: those that were there stay, so
 * that what moves goes on moving. `make(item)` makes one, `update(element, item)` brings it up to date.
 */
export function keep(parent, items, keyOf, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let last = null;
  for (const item of items) {
    const key = keyOf(item);
    const element = known.get(key) ?? make(item);
    known.delete(key);
    if (element.dataset.key !== key) element.dataset.key = key;
    const place = last ? last.nextSibling : parent.firstChild;
    if (element !== place) parent.insertBefore(element, place);
    update(element, item);
    last = element;
  }
  for (const gone of known.values()) gone.remove();
}

function filled(element, attributes, children) {
  set(element, attributes);
  element.append(...children.filter((child) => child !== null));
  return element;
}
