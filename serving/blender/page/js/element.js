// Elements of the page. Text of the catalogue is only ever set as text, never as markup.

/** An element with classes and text; attributes are set by the caller. */
export function element(name, classes = "", text = "") {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}

/** A button that does nothing by itself in a form. */
export function button(classes, text, press) {
  const made = element("button", classes, text);
  made.type = "button";
  made.addEventListener("click", press);
  return made;
}

/** Words for screen readers alone. */
export const unseen = (text) => element("span", "visually-hidden", text);

export const at = (id) => document.getElementById(id);

/** A picture that says so when it cannot be shown. `alt` is empty where its words stand beside it. */
export function pictureOf(address, alt = "") {
  const frame = element("span", "picture");
  const failed = () => frame.replaceChildren(element("span", "no-picture", "No picture"));
  if (!address) {
    failed();
    return frame;
  }
  const image = element("img");
  image.alt = alt;
  image.decoding = "async";
  image.loading = "lazy";
  image.addEventListener("error", failed, { once: true });
  image.src = address;
  frame.append(image);
  return frame;
}

/**
 * Makes the children of `list` those of `items`, by key: elements that are there already are taken over, and the one
 * that has the focus keeps it.
 *
 * @template T
 * @param {Element} list
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} make
 * @param {(made: HTMLElement, item: T) => void} update called for new ones as well
 */
export function keyed(list, items, keyOf, make, update) {
  const focused = document.activeElement;
  const there = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const key = keyOf(item);
    const made = there.get(key) ?? make(item);
    made.dataset.key = key;
    update(made, item);
    return made;
  });
  const same = wanted.length === list.children.length && wanted.every((each, place) => list.children[place] === each);
  if (!same) list.replaceChildren(...wanted);
  if (focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
}
