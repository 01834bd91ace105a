// The box for words with suggestions: a combobox with a list, after the ARIA Authoring Practices Guide.

import * as api from "./api.js";
import { element, unseen } from "./element.js";
import * as words from "./words.js";

const WAIT_MS = 150;
const MOST = 8;
const KINDS = { brand: "Brand", category: "Category" }; // a title says itself what it is

/** Suggestions below `input`, in `list`; `choose(text, field)` is called for the one taken; a word has no field. */
export class Combobox {
  constructor(input, list, choose) {
    this.input = input;
    this.list = list;
    this.choose = choose;
    this.active = -1;
    this.timer = 0;
    this.running = new AbortController();
    input.addEventListener("input", () => this.later());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.close());
    // The press must not take the focus out of the box, which would close the list before the click.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.take(option);
    });
  }

  get options() {
    return [...this.list.children];
  }

  get open() {
    return !this.list.hidden;
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), WAIT_MS);
  }

  async ask() {
    this.running.abort();
    this.running = new AbortController();
    const { signal } = this.running;
    const text = this.input.value.trimStart();
    if (!text) return this.close();
    try {
      const found = await api.suggestions(text, MOST, signal);
      if (!signal.aborted && document.activeElement === this.input) this.show(found.filter((each) => each.text !== text));
    } catch {
      this.close(); // the box works without
    }
  }

  /** What was marked stays so where it is found again. */
  show(found) {
    const { text: kept, field: keptField } = this.options[this.active]?.dataset ?? {};
    this.list.replaceChildren(
      ...found.map(({ text, products, field = "" }, place) => {
        const option = element("li", "suggestion");
        option.id = `suggestion-${place}`;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.dataset.text = text;
        option.dataset.field = field;
        const count = element("span", "count", words.count(products));
        count.append(unseen(products === 1 ? " product" : " products"));
        const name = element("span", "", field === "category" ? words.category(text) : text);
        const kind = field in KINDS ? [unseen(", "), element("span", "kind", KINDS[field])] : [];
        option.append(name, ...kind, unseen(", "), count);
        return option;
      }),
    );
    this.mark(found.findIndex(({ text, field = "" }) => text === kept && field === keptField));
    this.list.hidden = found.length === 0;
    this.input.setAttribute("aria-expanded", String(found.length > 0));
  }

  /** Closes the list; an answer that is still awaited does not open it again. */
  close() {
    clearTimeout(this.timer);
    this.running.abort();
    this.show([]);
  }

  mark(place) {
    this.active = place;
    this.options.forEach((option, each) => option.setAttribute("aria-selected", String(each === place)));
    const option = this.options[place];
    if (option) {
      this.input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  take(option) {
    const { text, field } = option.dataset;
    this.input.value = text;
    this.close();
    this.choose(text, field);
  }

  key(event) {
    if (event.isComposing) return;
    const count = this.options.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!this.open) {
        this.ask();
        return;
      }
      // Past either end the box itself is next, then the other end.
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.mark(((this.active + 1 + step + count + 1) % (count + 1)) - 1);
    } else if (event.key === "Enter" && this.open && this.active >= 0) {
      event.preventDefault();
      this.take(this.options[this.active]);
    } else if (event.key === "Escape" && this.open) {
      event.preventDefault();
      this.close();
    }
  }
}
