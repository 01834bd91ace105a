// The price in the filter panel: a least and a greatest one, within what there is.

import { element } from "./element.js";
import * as words from "./words.js";

/** `press(from, to)` is called when a number was entered; null is no bound. */
export class Price {
  constructor(press) {
    this.box = element("fieldset", "field amount");
    this.box.dataset.field = "price";
    this.box.hidden = true;
    const row = element("div", "range");
    this.from = bound("price-from", "From");
    this.to = bound("price-to", "To");
    row.append(...[this.from, this.to].map((each) => each.parentElement));
    this.span = element("p", "span");
    this.span.id = "price-span";
    this.box.append(element("legend", "", "Price"), row, this.span);
    for (const input of [this.from, this.to]) {
      input.setAttribute("aria-describedby", "price-span");
      input.addEventListener("change", () => press(entered(this.from), entered(this.to)));
    }
  }

  /** @param {import("./asking.js").Facet | undefined} facet */
  show(facet, { from, to }) {
    const known = typeof facet?.low === "number" && typeof facet?.high === "number";
    const set = from !== null || to !== null;
    this.box.hidden = !set && !(known && facet.low < facet.high);
    this.span.textContent = known ? `There is ${words.price({ price: facet.low })} to ${words.price({ price: facet.high })}` : "";
    fill(this.from, from, known ? facet.low : null);
    fill(this.to, to, known ? facet.high : null);
  }
}

function bound(id, name) {
  const label = element("label", "", name);
  const input = element("input");
  input.id = id;
  input.type = "number";
  input.inputMode = "decimal";
  input.min = "0";
  input.step = "any";
  input.addEventListener("input", () => (input.dataset.typed = "yes"));
  input.addEventListener("change", () => delete input.dataset.typed);
  label.append(input);
  return input;
}

/** A number that is being typed is left alone. */
function fill(input, value, limit) {
  input.placeholder = limit === null ? "" : Number.isInteger(limit) ? String(limit) : limit.toFixed(2);
  if (document.activeElement !== input || !input.dataset.typed) input.value = value ?? "";
}

const entered = (input) => (input.value === "" || !Number.isFinite(input.valueAsNumber) ? null : input.valueAsNumber);
