// What is looked like: the chips in the box, the head of the results, the photos offered at the start.

import * as api from "./api.js";
import { at, button, element, keyed, pictureOf, unseen } from "./element.js";
import { isFiltered, NOTHING, toAddress } from "./question.js";
import { facts, titleOf } from "./results.js";
import * as words from "./words.js";

const OFFERED = 12;

/** @typedef {{key: string, kind: "photo" | "example" | "product", name: string, picture: string, product?: object, without: object}} Example */

export class Examples {
  /** @param {import("./photos.js").Photos} photos */
  constructor(photos, change) {
    this.photos = photos;
    this.change = change;
    this.products = new Map(); // products seen, by id
  }

  remember(products) {
    for (const product of products) this.products.set(product.product_id, product);
  }

  /** All that a question looks like. @returns {Promise<Example[]>} */
  async of(question) {
    const left = (list, one) => list.filter((each) => each !== one);
    const examples = await Promise.all(question.examples.map((id) => this.photos.exampleOf(id)));
    return [
      ...question.photos.map((number, place) => ({
        key: `photo ${number}`,
        kind: "photo",
        name: question.photos.length === 1 ? "Your photo" : `Your photo ${place + 1}`,
        picture: this.photos.addressOf(number),
        without: { photos: left(question.photos, number), box: null },
      })),
      ...question.examples.map((id, place) => ({
        key: `example ${id}`,
        kind: "example",
        name: examples[place] ? `Example photo: ${words.category(examples[place].category)}` : "Example photo",
        picture: examples[place] ? api.exampleAddress(examples[place]) : "",
        without: { examples: left(question.examples, id), box: null },
      })),
      ...question.similar.map((id) => {
        const product = this.products.get(id) ?? { product_id: id };
        return {
          key: `product ${id}`,
          kind: "product",
          name: titleOf(product),
          picture: api.pictureAddress(id, product.image_url ?? ""),
          product,
          without: { similar: left(question.similar, id) },
        };
      }),
    ];
  }

  /** The address of the only photo; "" where there is none, or several. */
  async onlyPhoto(question) {
    const photos = (await this.of(question)).filter((each) => each.kind !== "product");
    return photos.length === 1 ? photos[0].picture : "";
  }

  /** Chips in the box, and the head of the results. */
  async show(question) {
    this.latest = question;
    const found = await this.of(question);
    if (this.latest !== question) return; // a later one came first
    keyed(at("asked"), found, (each) => `${each.key} ${each.name} ${each.picture}`, (each) => this.chip(each), () => {});
    at("asked").hidden = found.length === 0;
    showHead(question, found);
  }

  chip({ kind, name, picture, without }) {
    const item = element("li", "example-chip");
    item.append(pictureOf(picture, kind === "product" ? "" : name));
    if (kind === "product") item.append(element("span", "chip-name", name));
    const remove = button("remove", "", () => {
      this.change((question) => ({ ...question, ...without }));
      at("words").focus({ preventScroll: true });
    });
    const cross = element("span", "cross", "×");
    cross.setAttribute("aria-hidden", "true");
    remove.append(unseen(`Remove ${name}`), cross);
    item.append(remove);
    return item;
  }

  /** Products that are only known by their ids, as when the page was opened by its address: their receipts say more. */
  async learn(question) {
    const unknown = question.similar.filter((id) => !this.products.has(id));
    const receipts = await Promise.all(unknown.map((id) => api.receipt(id).catch(() => null))); // the search tells what is wrong
    for (const receipt of receipts) {
      const replica = receipt?.replicas.find((each) => each.answered && each.images.length);
      if (!replica) continue;
      const image = replica.images.find((each) => each.searchable) ?? replica.images[0];
      const { price, sales, praise } = replica;
      this.remember([{ ...replica.attributes, product_id: receipt.product_id, price, sales, praise, image_url: image.url }]);
    }
    return unknown.length > 0;
  }

  /** Photos to begin with. */
  async offer() {
    const found = await this.photos.examples;
    at("examples-list").replaceChildren(
      ...found.slice(0, OFFERED).map((example) => {
        const item = element("li");
        const link = element("a", "example");
        link.href = toAddress({ ...NOTHING, examples: [example.product_id] });
        link.append(pictureOf(api.exampleAddress(example), `Example photo: ${words.category(example.category)}`));
        item.append(link);
        return item;
      }),
    );
    at("examples").hidden = found.length === 0;
  }
}

function showHead(question, found) {
  const title = titleFor(question, found);
  const only = found.length === 1 ? found[0] : null;
  at("results-title").textContent = title;
  at("query-picture").hidden = !only;
  at("query-picture").replaceChildren(...(only ? [pictureOf(only.picture, only.name)] : []));
  const lines = only?.product ? about(only.product) : [];
  at("query-facts").replaceChildren(...lines.filter(Boolean).map((line) => element("span", "", line)));
  document.title = `${title} – Vitrine`;
}

const about = (product) => [
  words.price(product),
  facts(product).join(" · "),
  [words.text(product.brand), words.category(product.category)].filter(Boolean).join(" · "),
];

function titleFor(question, found) {
  const asked = question.words ? `“${question.words}”` : "";
  const photos = found.filter((each) => each.kind !== "product");
  const products = found.filter((each) => each.kind === "product");
  const named = products.length === 1 ? products[0].name : words.plural(products.length, "product");
  if (!found.length) return asked || (isFiltered(question) ? "The catalogue, filtered" : "The whole catalogue");
  if (!photos.length) return `Similar to ${named}${asked && `, but ${asked}`}`;
  const [first] = photos;
  const one = first.kind === "photo" ? "your photo" : "this photo";
  const seen = photos.length === 1 ? one : `${photos.length} photos`;
  return `Looks like ${seen}${products.length ? ` and ${named}` : ""}${asked && `, and ${asked}`}`;
}
