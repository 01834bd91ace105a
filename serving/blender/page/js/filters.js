// The filter panel, and the filters chosen as chips that take them away again.

import { bySize, Choices, choicesOf, treeOf } from "./choices.js";
import { at, button, element, keyed, unseen } from "./element.js";
import { Price } from "./price.js";
import { FIELDS, isFiltered, priced, toggled, unfiltered } from "./question.js";
import * as words from "./words.js";

const ARRANGED = { category: treeOf, size: bySize };

export class Filters {
  /** @param {(step: (question: import("./question.js").Question) => object) => void} change asks the question after a step */
  constructor(change) {
    this.change = change;
    this.fields = [...FIELDS].map(
      ([field, name]) => new Choices(field, name, (value) => change((question) => toggled(question, field, value))),
    );
    this.price = new Price((from, to) => change((question) => priced(question, from, to)));
    const [category, brand, ...others] = this.fields.map((each) => each.box);
    at("fields").append(category, brand, this.price.box, ...others);
    at("filters-toggle").addEventListener("click", () => this.open(at("filters").dataset.open !== "true"));
    at("filters-done").addEventListener("click", () => {
      this.open(false);
      at("results-title").focus();
    });
    at("clear").addEventListener("click", () => this.clear());
  }

  /** On a narrow screen the panel is behind a button. */
  open(open) {
    at("filters").dataset.open = String(open);
    at("filters-toggle").setAttribute("aria-expanded", String(open));
  }

  /** The chips go, and with them the button that was pressed: the focus moves on to the results. */
  clear() {
    this.change(unfiltered);
    at("results-title").focus({ preventScroll: true });
  }

  /** What is chosen, before any answer. @param {import("./question.js").Question} question */
  showChosen(question) {
    const chips = chipsOf(question);
    at("chosen").hidden = chips.length === 0;
    keyed(at("chosen-list"), chips, (each) => each.text, (each) => this.chip(each), () => {});
    at("filters-count").textContent = chips.length ? ` (${chips.length})` : "";
  }

  chip({ text, without }) {
    const item = element("li");
    const remove = button("chip", "", () => {
      this.change(without);
      // The next chip, or the results where this was the last one.
      (at("chosen-list").querySelector("button") ?? at("results-title")).focus({ preventScroll: true });
    });
    const cross = element("span", "cross", "×");
    cross.setAttribute("aria-hidden", "true");
    remove.append(unseen("Remove the filter "), text, cross);
    item.append(remove);
    return item;
  }

  /** @param {{facets: Record<string, import("./asking.js").Facet>}} answer */
  show(question, answer) {
    const { facets } = answer;
    for (const each of this.fields) {
      const chosen = question.chosen[each.field] ?? [];
      const arranged = ARRANGED[each.field] ?? ((choices) => choices);
      each.show(arranged(choicesOf(facets[each.field], chosen)), chosen);
    }
    this.price.show(facets.price, question.price);
    const none = [...this.fields, this.price].every((each) => each.box.hidden);
    at("filters").hidden = none && !isFiltered(question);
    at("filters-done").textContent = `Show ${words.found(answer)}`;
    at("counted").textContent = words.counted(answer);
    at("counted").hidden = !answer.by_meaning;
  }
}

function chipsOf(question) {
  const chips = [];
  for (const [field, values] of Object.entries(question.chosen)) {
    for (const value of values) {
      const shown = field === "category" ? words.category(value) : value;
      chips.push({ text: `${FIELDS.get(field)}: ${shown}`, without: (now) => toggled(now, field, value) });
    }
  }
  const { from, to } = question.price;
  if (from !== null || to !== null) {
    chips.push({ text: `Price: ${words.range(from, to)}`, without: (now) => priced(now, null, null) });
  }
  return chips;
}
