// The page: what was asked stands in the address (#photo=1, #example=id, #similar=id), so that back and forward work.

import * as api from "./api.js";
import { Freshness } from "./freshness.js";
import { fileOf, prepared } from "./photo.js";
import { element, facts, pictureOf, showLoading, showProducts } from "./results.js";
import * as words from "./words.js";

const PAGE = 24;
const MOST = 96;
const KEPT_PHOTOS = 20;
const WAITS_MS = [1000, 2000, 3000, 5000, 5000, 10_000, 10_000, 15_000]; // while the shop is starting

const at = (id) => document.getElementById(id);
const list = at("products");

const photos = new Map(); // number -> {blob, address}: photos of this visit, for back and forward
let photoNumber = 0;
let examples = Promise.resolve([]);
const shown = new Map(); // products seen, by id: what a page of similar ones is headed by
let running = new AbortController();
let ask = null; // the present question: {answer(limit, signal), limit}

// --- telling ---

function say(text) {
  const live = at("live");
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = text));
}

function showProblem(error) {
  const box = at("problem");
  box.replaceChildren(element("span", "", words.problem(error)));
  if (ask && (error.status >= 500 || error.reason === "no_connection")) {
    const again = element("button", "", "Try again");
    again.type = "button";
    again.addEventListener("click", () => search());
    box.append(again);
  }
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
}

const hideProblem = () => (at("problem").hidden = true);

function view(name) {
  document.body.dataset.view = name;
  at("results").hidden = name === "start";
}

// --- asking ---

/** Asks the present question and shows its answer. While the shop is starting it is asked again by itself. */
async function search({ quietly = false } = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const asked = ask;
  hideProblem();
  at("empty").hidden = true;
  at("more").hidden = true;
  at("partial").hidden = true;
  at("results").setAttribute("aria-busy", "true");
  if (!quietly) {
    at("took").textContent = "";
    showLoading(list, 12);
    say("Searching");
  }
  try {
    const answer = await patiently(() => asked.answer(asked.limit, signal), signal);
    if (signal.aborted) return;
    hideProblem();
    showAnswer(answer, asked);
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    list.replaceChildren();
    showProblem(error);
  } finally {
    if (!signal.aborted) at("results").removeAttribute("aria-busy");
  }
}

/** `work`, again after a while for as long as the server says that it will pass. */
async function patiently(work, signal) {
  for (const wait of WAITS_MS) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof api.AskError) || !error.passes) throw error;
      at("problem").textContent = `${words.problem(error).replace(/ Try again.*/, "")} Your search waits and goes on by itself.`;
      at("problem").hidden = false;
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (signal.aborted) throw new DOMException("another search", "AbortError");
    }
  }
  return work();
}

function showAnswer(answer, asked) {
  for (const product of answer.results) shown.set(product.product_id, product);
  showProducts(list, answer.results);
  const found = answer.results.length;
  const asOf = answer.watermark ? ` · as of ${words.timeOfDay(new Date(answer.watermark))}` : "";
  at("took").textContent = found ? `${words.plural(found, "product")} in ${words.count(Math.ceil(answer.took_ms.total))} ms${asOf}` : "";
  showGaps(answer);
  at("empty").hidden = found > 0;
  at("empty").textContent = "Nothing in the catalogue looks like this. Try another photo, with one thing in the middle.";
  at("more").hidden = found < asked.limit || asked.limit >= MOST;
  say(found ? `${words.plural(found, "product")} found` : "No products found");
}

/** What is missing from this answer: shards that are silent, pictures that are not looked at yet. */
function showGaps({ partial, missing_shards: missing, pending_images: pending }) {
  const gaps = [];
  if (partial) {
    const which = `shard${missing.length === 1 ? "" : "s"} ${missing.join(", ")}`;
    gaps.push(`A part of the catalogue does not answer right now (${which}): its products are missing here.`);
  }
  if (pending > 0) gaps.push(`${words.plural(pending, "new picture")} cannot be found yet: they are looked at as soon as they can be read.`);
  const box = at("partial");
  box.textContent = gaps.join(" ");
  box.classList.toggle("severe", partial);
  box.hidden = gaps.length === 0;
  if (partial) say(gaps[0]);
}

// --- what is asked, by the address ---

function header({ title, picture, alt = "", lines = [] }) {
  at("results-title").textContent = title;
  at("query-picture").replaceChildren(pictureOf(picture, alt));
  at("query-facts").replaceChildren(...lines.filter(Boolean).map((line) => element("span", "", line)));
  document.title = `${title} – Vitrine`;
}

function start() {
  running.abort();
  ask = null;
  hideProblem();
  view("start");
  document.title = "Vitrine – find it by a photo";
}

function startPhoto(number) {
  const photo = photos.get(Number(number));
  if (!photo) {
    start();
    at("problem").textContent = "That photo is no longer here: it never left this page. Choose it again.";
    at("problem").hidden = false;
    return;
  }
  header({ title: "Looks like your photo", picture: photo.address, alt: "Your photo" });
  begin((limit, signal) => api.searchByPhoto(photo.blob, limit, signal));
}

async function startExample(id) {
  const example = (await examples).find((each) => each.product_id === id);
  if (location.hash !== exampleHash(id)) return;
  if (!example) return start();
  header({ title: "Looks like this photo", picture: api.exampleAddress(example), alt: `Example photo: ${words.category(example.category)}` });
  let photo = null;
  begin(async (limit, signal) => {
    photo ??= await prepared(await api.examplePhoto(example, signal));
    return api.searchByPhoto(photo, limit, signal);
  });
}

async function startSimilar(id) {
  const known = shown.get(id);
  showProduct(known ?? { product_id: id });
  begin((limit, signal) => api.similarTo(id, limit, signal).catch(nameMissing));
  if (known) return;
  // Opened by its address: what the product is, its receipt says.
  const receipt = await api.receipt(id).catch(() => null); // the search beside it tells what is wrong
  const replica = receipt?.replicas.find((each) => each.answered && each.images.length);
  if (!replica || location.hash !== `#similar=${encodeURIComponent(id)}`) return;
  const image = replica.images.find((each) => each.searchable) ?? replica.images[0];
  const { price, sales, praise } = replica;
  showProduct({ ...replica.attributes, product_id: id, price, sales, praise, image_url: image.url });
}

function nameMissing(error) {
  if (error.reason === "not_found") throw new api.AskError("gone", "this product is no longer in the catalogue.", 404);
  throw error;
}

function showProduct(product) {
  const title = words.text(product.title) || product.product_id;
  const about = [words.text(product.brand), words.category(product.category)].filter(Boolean).join(" · ");
  header({
    title: `Similar to ${title}`,
    picture: api.pictureAddress(product.product_id, product.image_url ?? ""),
    alt: title,
    lines: [words.price(product), facts(product).join(" · "), about],
  });
}

function begin(answer) {
  ask = { answer, limit: PAGE };
  view("results");
  search();
  at("results-title").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

const exampleHash = (id) => `#example=${encodeURIComponent(id)}`;

function route() {
  const [, kind, value] = /^#(photo|example|similar)=(.+)$/.exec(location.hash) ?? [];
  let id;
  try {
    id = decodeURIComponent(value ?? "");
  } catch {
    return start(); // somebody's broken link
  }
  if (kind === "photo") return startPhoto(id);
  if (kind === "example") return startExample(id);
  if (kind === "similar") return startSimilar(id);
  return start();
}

// --- photos in ---

async function take(find) {
  try {
    hideProblem();
    const blob = await prepared(find());
    photoNumber += 1;
    photos.set(photoNumber, { blob, address: URL.createObjectURL(blob) });
    const oldest = photoNumber - KEPT_PHOTOS;
    if (photos.has(oldest)) {
      URL.revokeObjectURL(photos.get(oldest).address);
      photos.delete(oldest);
    }
    location.hash = `#photo=${photoNumber}`;
  } catch (error) {
    showProblem(error);
  }
}

function wireInputs() {
  for (const [button, input] of [["choose", "file"], ["take", "camera"]]) {
    at(button).addEventListener("click", () => at(input).click());
    at(input).addEventListener("change", () => {
      if (at(input).files.length) take(() => at(input).files[0]).then(() => (at(input).value = ""));
    });
  }
  addEventListener("paste", (event) => {
    event.preventDefault();
    take(() => fileOf(event.clipboardData));
  });
}

function wireDrop() {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const lift = (on) => at("drop-veil").classList.toggle("shown", on);
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    depth += 1;
    lift(true);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) lift(false);
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    lift(false);
    take(() => fileOf(event.dataTransfer));
  });
}

async function showExamples() {
  examples = api.examples().catch(() => []); // the page works without them
  const found = await examples;
  at("examples-list").replaceChildren(
    ...found.slice(0, 12).map((example) => {
      const item = element("li");
      const link = element("a", "example");
      link.href = exampleHash(example.product_id);
      link.append(pictureOf(api.exampleAddress(example), `Example photo: ${words.category(example.category)}`));
      item.append(link);
      return item;
    }),
  );
  at("examples").hidden = found.length === 0;
}

at("home").addEventListener("click", (event) => {
  event.preventDefault();
  location.hash = "";
});
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  (at("results").hidden ? at("choose") : at("results-title")).focus();
});
at("back").addEventListener("click", () => (history.length > 1 ? history.back() : (location.hash = "")));
at("more").addEventListener("click", () => {
  ask.limit = Math.min(MOST, ask.limit * 2);
  search({ quietly: true });
});
addEventListener("hashchange", route);

wireInputs();
wireDrop();
showExamples();
new Freshness(at("freshness"), say).start();
route();
