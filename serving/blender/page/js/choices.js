// One field of the filter panel: values as check boxes with counts; those of a path as a tree.

import { button, element, keyed, unseen } from "./element.js";
import * as words from "./words.js";

const FIRST = 7;
const LETTERS = ["XXS", "XS", "S", "M", "L", "XL", "XXL", "XXXL"];

/** @typedef {{value: string, label: string, count: number | null, children: Choice[]}} Choice */

/** Values with their counts; those chosen are there also when nothing that matches has them. */
export function choicesOf(facet, chosen) {
  const values = (facet?.values ?? []).map(({ value, count }) => ({ value, count }));
  const there = new Set(values.map((each) => each.value));
  const absent = chosen.filter((value) => !there.has(value)).map((value) => ({ value, count: facet ? 0 : null }));
  return [...values, ...absent].map((each) => ({ ...each, label: each.value, children: [] }));
}

/** Sizes from small to large: letters, then numbers, then what is neither. Other fields have the most frequent first. */
export function bySize(choices) {
  const place = ({ value }) => {
    const letter = LETTERS.indexOf(value.toUpperCase());
    return letter >= 0 ? letter : LETTERS.length + (Number.isNaN(parseFloat(value)) ? 1e9 : parseFloat(value));
  };
  return choices.toSorted((one, other) => place(one) - place(other));
}

/** The same as a tree: shoes/running stands below shoes. @returns {Choice[]} */
export function treeOf(choices) {
  const byValue = new Map(choices.map((each) => [each.value, each]));
  const roots = [];
  for (const each of choices) {
    const above = byValue.get(each.value.slice(0, Math.max(0, each.value.lastIndexOf("/"))));
    each.label = above ? each.value.slice(above.value.length + 1) : each.value;
    (above ? above.children : roots).push(each);
  }
  return roots;
}

/** A field's group; `press(value)` is called for a value that is chosen or given up. */
export class Choices {
  constructor(field, name, press) {
    this.field = field;
    this.press = press;
    this.first = field === "size" ? 2 * FIRST : FIRST;
    this.full = false;
    this.opened = new Map(); // a path's value -> whether what lies below is shown, once somebody said so
    this.box = element("fieldset", "field");
    this.box.dataset.field = field;
    this.box.hidden = true;
    this.list = element("ul", "choices");
    this.list.setAttribute("role", "list");
    this.more = button("text-button", "", () => {
      this.full = !this.full;
      this.draw();
    });
    this.box.append(element("legend", "", name), this.list, this.more);
  }

  /** @param {Choice[]} choices */
  show(choices, chosen) {
    this.choices = choices;
    this.chosen = new Set(chosen);
    this.box.hidden = choices.length === 0;
    this.draw();
  }

  draw() {
    const { choices, chosen } = this;
    const short = choices.length <= this.first + 1; // one more takes no more room than the button
    const first = new Set(short ? choices : choices.slice(0, this.first));
    const shown = this.full ? choices : choices.filter((each) => first.has(each) || holds(each, chosen));
    this.more.hidden = short;
    this.more.textContent = this.full ? "Show fewer" : `Show all ${choices.length}`;
    this.more.setAttribute("aria-expanded", String(this.full));
    this.rows(this.list, shown);
  }

  rows(list, choices) {
    keyed(list, choices, (each) => each.value, () => this.made(), (row, each) => this.update(row, each));
  }

  made() {
    const row = element("li");
    const label = element("label", "choice");
    const check = element("input");
    check.type = "checkbox";
    check.addEventListener("change", () => this.press(row.dataset.key));
    const swatch = element("span", "swatch");
    swatch.setAttribute("aria-hidden", "true");
    label.append(check, swatch, element("span", "choice-name"), element("span", "count"));
    row.append(label);
    return row;
  }

  update(row, { value, label, count, children }) {
    const [check, swatch, name, counted] = row.querySelector("label").children;
    check.checked = this.chosen.has(value);
    check.value = value;
    name.textContent = label;
    counted.replaceChildren(...(count === null ? [] : [unseen(", "), words.count(count), unseen(count === 1 ? " product" : " products")]));
    row.classList.toggle("none", count === 0);
    swatch.hidden = this.field !== "colour" || !paint(swatch, value);
    this.below(row, value, label, children);
  }

  /** What lies below a value, behind a button that opens it. */
  below(row, value, label, children) {
    let toggle = row.querySelector(":scope > .unfold");
    let list = row.querySelector(":scope > ul");
    if (!children.length) {
      toggle?.remove();
      list?.remove();
      return;
    }
    if (!toggle) {
      toggle = button("unfold", "", () => {
        this.opened.set(value, toggle.getAttribute("aria-expanded") !== "true");
        this.draw();
      });
      list = element("ul", "choices");
      list.setAttribute("role", "list");
      row.append(toggle, list);
    }
    const open = this.opened.get(value) ?? (this.chosen.has(value) || children.some((each) => holds(each, this.chosen)));
    toggle.setAttribute("aria-expanded", String(open));
    toggle.setAttribute("aria-label", `What there is in ${label}`);
    list.hidden = !open;
    this.rows(list, children);
  }
}

const holds = (choice, chosen) => chosen.has(choice.value) || choice.children.some((each) => holds(each, chosen));

/** A colour's own colour, where its name is one that the browser knows. */
function paint(swatch, name) {
  const colour = name.toLowerCase().replaceAll(" ", "");
  const known = /^[a-z]+$/.test(colour) && CSS.supports("color", colour);
  swatch.style.backgroundColor = known ? colour : "";
  return known;
}
