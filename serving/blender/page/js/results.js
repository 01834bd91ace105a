// Products as pictures, each with what can be asked about it.

import { pictureAddress } from "./api.js";
import { button, element, pictureOf, unseen } from "./element.js";
import * as words from "./words.js";

/** The words of one product that are known: price, sales, praise. */
export function facts(product) {
  const found = [];
  if (typeof product.sales === "number") found.push(`${words.count(product.sales)} sold`);
  if (typeof product.praise === "number") found.push(`${words.percent(product.praise)} liked it`);
  return found;
}

export const titleOf = (product) => words.text(product.title) || product.product_id;

/**
 * What a card offers. `address(product)`: of what is like it; `but(product)`: like it, with words; `why(product, card)`;
 * `choose(field, value)`: only what has that value.
 *
 * @typedef {{address: (product: object) => string, but: (product: object) => void, why: (product: object, item: HTMLElement, pressed: HTMLElement) => void, choose: (field: string, value: string) => void}} Offers
 */

/** @param {Offers} offers @param {boolean} alike whether scores are likeness, and nothing else */
export function card(product, offers, alike) {
  const item = element("li", "card");
  const title = titleOf(product);
  const link = element("a", "product");
  link.href = offers.address(product);
  link.dataset.productId = product.product_id;
  link.append(pictureOf(pictureAddress(product.product_id, product.image_url ?? "")));
  if (alike) {
    const score = element("span", "score", `${words.similarity(product.score)} alike`);
    score.append(unseen(", "));
    link.append(score);
  }
  const body = element("span", "body");
  const name = element("span", "title", title);
  name.title = title;
  body.append(name);
  const price = words.price(product);
  if (price) body.append(element("span", "price", price));
  const rest = facts(product);
  if (rest.length) body.append(element("span", "facts", rest.join(" · ")));
  body.append(unseen(". Show what is like this"));
  link.append(body);
  item.append(link, ...alsoAt(product, title, offers), actions(product, title, offers, item));
  return item;
}

/** Products that show the same picture, where they are merged into this one. A shop's attribute of that name is none. */
export const doublesOf = (product) =>
  Array.isArray(product.also_at) ? product.also_at.filter((each) => typeof each?.similarity === "number") : [];

function alsoAt(product, title, offers) {
  const doubles = doublesOf(product);
  if (!doubles.length) return [];
  const box = element("details", "also");
  const summary = element("summary", "", `Also at ${words.plural(doubles.length, "seller")}`);
  summary.append(unseen(` (${title})`));
  const list = element("ul");
  list.setAttribute("role", "list");
  for (const each of doubles) {
    const link = element("a", "", titleOf(each));
    link.href = offers.address(each);
    const item = element("li");
    const price = words.price(each);
    item.append(link, ...(price ? [" ", element("span", "price", price)] : []));
    list.append(item);
  }
  box.append(summary, list);
  return [box];
}

function actions(product, title, offers, item) {
  const row = element("div", "actions");
  // For the mouse; the keyboard and the screen reader have the card itself, which is the same link.
  const like = element("a", "act like", "Like this");
  like.href = offers.address(product);
  like.tabIndex = -1;
  like.setAttribute("aria-hidden", "true");
  const but = button("act but", "", () => offers.but(product));
  but.append(unseen("Like this, "), "but …", unseen(` (${title})`));
  const why = button("act why", "Why?", () => offers.why(product, item, why));
  why.append(unseen(` (${title})`));
  why.setAttribute("aria-expanded", "false");
  row.append(like, but, why);
  return row;
}

/** Grey cards while the answer is awaited. */
export function showLoading(list, cards) {
  list.replaceChildren(
    ...Array.from({ length: cards }, () => {
      const item = element("li", "awaited");
      item.setAttribute("aria-hidden", "true");
      item.append(element("span", "picture"), element("span", "line"), element("span", "line short"));
      return item;
    }),
  );
}
