// The list of products, page after page: by a button that also presses itself when it comes into view.

import { clicked } from "./api.js";
import { at, element } from "./element.js";
import { isLooking } from "./question.js";
import { card, doublesOf, showLoading } from "./results.js";
import { say } from "./telling.js";
import { reasons } from "./why.js";
import * as words from "./words.js";

const BEFORE_THE_END = "500px";

/** @typedef {import("./question.js").Question} Question */

export class Pages {
  /**
   * @param {import("./asking.js").Asking} asking
   * @param {(products: object[]) => void} seen called for the products of every page
   */
  constructor(asking, offers, seen) {
    this.asking = asking;
    this.offers = { ...offers, why: (product, item, pressed) => this.why(product, item, pressed) };
    this.seen = seen;
    this.list = at("products");
    this.more = at("more");
    this.more.addEventListener("click", () => this.next(true));
    new IntersectionObserver(
      (entries) => entries.some((each) => each.isIntersecting) && !this.stopped && this.next(false),
      { rootMargin: BEFORE_THE_END },
    ).observe(this.more);
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.begin(null, "", null);
    at("shown").hidden = true;
    this.more.hidden = true;
  }

  /** Grey cards, until `show`. */
  awaited() {
    this.clear();
    showLoading(this.list, 12);
  }

  begin(question, cursor, signal) {
    this.question = question;
    this.cursor = cursor;
    this.signal = signal;
    this.ids = new Set();
    this.named = 0; // products that stand under others of the same picture
    this.pageOf = new Map(); // product id -> the cursor that its page was asked with
    this.explanations = new Map(); // that cursor -> the answer with explanations, on its way or there
    this.matches = null;
    this.byMeaning = false;
    this.loading = false;
    this.stopped = false; // after a failure only the button goes on
  }

  /** The first page. @param {Question} question */
  show(question, answer, signal) {
    this.list.replaceChildren();
    this.begin(question, answer.cursor ?? "", signal);
    this.matches = answer.matches ?? null;
    this.byMeaning = answer.by_meaning ?? false;
    this.append(answer, "");
  }

  /** The cards that came; those that are there already do not come again. */
  append(answer, cursor) {
    const alike = !this.question.words && isLooking(this.question);
    const before = this.ids.size;
    const fresh = answer.results.filter((each) => !this.ids.has(each.product_id));
    for (const each of fresh) {
      this.ids.add(each.product_id);
      this.pageOf.set(each.product_id, cursor);
      this.named += doublesOf(each).length;
    }
    this.seen(fresh);
    const cards = fresh.map((each) => card(each, this.offers, alike));
    // Where the shop keeps a log of searches, it learns from what is chosen.
    if (answer.search_id) cards.forEach((each, place) => noteClicks(each, answer.search_id, fresh[place], before + place + 1));
    this.list.append(...cards);
    this.cursor = answer.cursor ?? "";
    this.more.hidden = !this.cursor;
    this.tellShown();
    return cards;
  }

  /** Products with a card, and those named on one. */
  get shown() {
    return this.ids.size + this.named;
  }

  tellShown() {
    const shown = this.shown;
    at("shown").hidden = shown === 0;
    at("shown").textContent = this.of(shown);
  }

  of(shown) {
    const all = Math.max(shown, this.matches ?? shown);
    if (!this.cursor && shown < all) return `${words.plural(shown, "product")} shown; there is no further page`;
    const found = words.found({ matches: all, results: [], by_meaning: this.byMeaning, cursor: this.cursor });
    return this.cursor || shown < all ? `${words.count(shown)} of ${found} shown` : `All ${words.plural(shown, "product")} shown`;
  }

  /** @param {boolean} pressed by somebody, whom the focus takes to the first card that comes */
  async next(pressed) {
    if (this.loading || !this.cursor) return;
    const { question, cursor, signal } = this;
    this.loading = true;
    this.more.setAttribute("aria-disabled", "true");
    this.more.textContent = "Loading …";
    const focused = pressed || document.activeElement === this.more;
    try {
      const answer = await this.asking.next(question, cursor, signal);
      if (this.question !== question || signal.aborted) return;
      this.stopped = false;
      const cards = this.append(answer, cursor);
      if (focused) cards[0]?.querySelector("a").focus({ preventScroll: !pressed });
      say(cards.length ? `${words.count(cards.length)} more. ${at("shown").textContent}.` : "No further products.");
    } catch (error) {
      if (this.question !== question || signal.aborted) return;
      this.stopped = true;
      at("shown").textContent = `${this.of(this.shown)}. The next ones did not come: ${words.problem(error)}`;
      say(at("shown").textContent);
    } finally {
      if (this.question === question) this.loading = false;
      this.more.removeAttribute("aria-disabled");
      this.more.textContent = "Show more";
    }
    this.again();
  }

  /** A short page may leave the button in view, which the observer then does not tell again. */
  again() {
    const { top } = this.more.getBoundingClientRect();
    if (this.cursor && !this.stopped && top > 0 && top < innerHeight) requestAnimationFrame(() => this.next(false));
  }

  async why(product, item, pressed) {
    const there = item.querySelector(".reasons");
    pressed.setAttribute("aria-expanded", String(!there));
    if (there) return there.remove();
    const box = element("div", "reasons");
    box.setAttribute("role", "status");
    box.append(element("p", "", "Looking it up …"));
    item.append(box);
    const { question } = this;
    try {
      const answer = await this.explanation(this.pageOf.get(product.product_id));
      const found = answer.results.find((each) => each.product_id === product.product_id);
      if (found) box.replaceChildren(...reasons(found, found.explain, answer.explain?.shards, question, this.offers.choose).children);
      else box.replaceChildren(element("p", "", "The catalogue has changed since, and this stands elsewhere now. Search again to see why."));
    } catch (error) {
      box.replaceChildren(element("p", "", words.problem(error)));
    }
  }

  explanation(cursor) {
    if (!this.explanations.has(cursor)) {
      const asked = this.asking.explained(this.question, cursor);
      const { explanations } = this;
      asked.catch(() => explanations.delete(cursor));
      explanations.set(cursor, asked);
    }
    return this.explanations.get(cursor);
  }
}

/** Tells the log that the card's product was chosen, once; `position`: over all pages, from 1. */
function noteClicks(item, searchId, product, position) {
  const told = () => clicked(searchId, product.product_id, position);
  item.querySelector("a.product").addEventListener("click", told, { once: true });
}
