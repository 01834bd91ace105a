// Products as pictures. Text of the catalogue is only ever set as text, never as markup.

import { pictureAddress } from "./api.js";
import * as words from "./words.js";

/** An element with classes and text; attributes are set by the caller. */
export function element(name, classes = "", text = "") {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}

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

export const similarHash = (productId) => `#similar=${encodeURIComponent(productId)}`;

/** The words of one product that are known: price, sales, praise. */
export function facts(product) {
  const found = [];
  if (typeof product.sales === "number") found.push(`${words.count(product.sales)} sold`);
  if (typeof product.praise === "number") found.push(`${words.percent(product.praise)} liked it`);
  return found;
}

function card(product) {
  const item = element("li");
  const link = element("a", "product");
  link.href = similarHash(product.product_id);
  link.dataset.productId = product.product_id;
  link.append(pictureOf(pictureAddress(product.product_id, product.image_url ?? "")));
  const score = element("span", "score", `${words.similarity(product.score)} alike`);
  score.append(element("span", "visually-hidden", ", "));
  link.append(score);

  const body = element("span", "body");
  const title = words.text(product.title) || product.product_id;
  const name = element("span", "title", title);
  name.title = title;
  body.append(name);
  const price = words.price(product);
  if (price) body.append(element("span", "price", price));
  const rest = facts(product);
  if (rest.length) body.append(element("span", "facts", rest.join(" · ")));
  body.append(element("span", "visually-hidden", ". Show similar products"));
  link.append(body);
  item.append(link);
  return item;
}

/** Shows `products` in `list`, leaving cards alone that are there already (so that focus and pictures stay). */
export function showProducts(list, products) {
  const same = [...list.querySelectorAll("a.product")].findIndex(
    (link, position) => link.dataset.productId !== products[position]?.product_id,
  );
  const kept = list.dataset.loading ? 0 : same === -1 ? list.children.length : 0;
  delete list.dataset.loading;
  if (kept === 0) list.replaceChildren();
  list.append(...products.slice(kept).map(card));
}

/** Grey cards while the answer is awaited. */
export function showLoading(list, cards) {
  list.dataset.loading = "true";
  list.replaceChildren(
    ...Array.from({ length: cards }, () => {
      const item = element("li", "awaited");
      item.setAttribute("aria-hidden", "true");
      item.append(element("span", "picture"), element("span", "line"), element("span", "line short"));
      return item;
    }),
  );
}
