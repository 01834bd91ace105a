// What stands out in the shopper's photo: drawn on it, each a button that searches by it.

import { at, button, element, keyed, unseen } from "./element.js";
import * as words from "./words.js";

const WHOLE = [0, 0, 1, 1];

/** @typedef {{box: number[], score: number}} Item */

export class Items {
  /** @param {(box: number[]) => void} choose searches by another part of the photo */
  constructor(choose) {
    this.choose = choose;
    this.photo = "";
    at("seen-whole").addEventListener("click", () => choose(WHOLE));
  }

  /** What was drawn goes, unless it is of this photo (its address; "": there is none, or several). */
  keep(photo) {
    if (photo !== this.photo) at("seen").hidden = true;
    this.photo = photo;
  }

  /** @param {{box: number[], items?: Item[]} | undefined} seen what the answer says of the photo */
  show(seen) {
    const items = seen?.items ?? [];
    const choice = items.length > 1 || (items.length === 1 && !same(seen.box, WHOLE));
    at("seen").hidden = !this.photo || !choice;
    if (at("seen").hidden) return;
    if (at("seen-photo").getAttribute("src") !== this.photo) at("seen-photo").src = this.photo;
    const drawn = items.map((item, place) => ({ ...item, place, searched: same(item.box, seen.box) }));
    keyed(at("seen-items"), drawn, (item) => item.box.join(), (item) => this.item(item.box), update);
    at("seen-whole").setAttribute("aria-pressed", String(same(seen.box, WHOLE)));
    const by = same(seen.box, WHOLE) ? "Searched by the whole photo." : "Searched by the part that is framed.";
    at("seen-words").textContent = `${by} ${words.plural(items.length, "item")} found in it: choose what you mean.`;
  }

  item(box) {
    const made = element("li");
    const [left, top, right, bottom] = box;
    made.style.left = percent(left);
    made.style.top = percent(top);
    made.style.width = percent(right - left);
    made.style.height = percent(bottom - top);
    made.append(button("seen-item", "", () => this.choose(box)));
    return made;
  }
}

function update(made, { box, place, searched }) {
  const press = made.firstElementChild;
  press.setAttribute("aria-pressed", String(searched));
  const number = element("span", "seen-number", String(place + 1));
  number.setAttribute("aria-hidden", "true");
  press.replaceChildren(number, unseen(`Search by item ${place + 1}, ${whereabouts(box)}`));
}

const percent = (part) => `${part * 100}%`;
const same = (one, other) => one.every((part, place) => Math.abs(part - other[place]) < 1e-6);

/** Where in the photo, for who does not see it. */
function whereabouts([left, top, right, bottom]) {
  const third = (middle, names) => names[Math.min(2, Math.floor(middle * 3))];
  const down = third((top + bottom) / 2, ["upper", "middle", "lower"]);
  const across = third((left + right) / 2, ["left", "centre", "right"]);
  return `${down} ${across}`;
}
