/**
 * Brings `parent`'s children in line with `items`, and leaves alone what has not changed, so that
 * focus, selection and scroll position stay.
 *
 * `keyOf(item)` names an item, `stateOf(item)` is a string that changes with its looks, and
 * `draw(item)` makes its element.
 */
export function drawKeyed(parent, items, { keyOf, stateOf, draw }) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const state = stateOf(item);
    let element = old.get(key);
    old.delete(key);
    if (element?.dataset.state !== state) {
      const fresh = draw(item);
      fresh.dataset.key = key;
      fresh.dataset.state = state;
      if (element === place && element) place = element.nextElementSibling;
      const hadFocus = element?.contains(document.activeElement);
      element?.remove();
      element = fresh;
      parent.insertBefore(element, place);
      if (hadFocus) (element.matches("button") ? element : element.querySelector("button"))?.focus();
      continue;
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of old.values()) element.remove();
}
