// The page: what is asked stands in the address, and every step is a new address, so that back and forward work.

import * as api from "./api.js";
import { Asking, patiently } from "./asking.js";
import { Combobox } from "./combobox.js";
import { at } from "./element.js";
import { Examples } from "./examples.js";
import { Filters } from "./filters.js";
import { Freshness } from "./freshness.js";
import { Items } from "./items.js";
import { Looks } from "./looks.js";
import { Pages } from "./pages.js";
import { Photos, wirePhotos } from "./photos.js";
import * as ask from "./question.js";
import { hideProblem, say, showGaps, showProblem, showUnderstood } from "./telling.js";
import * as words from "./words.js";

const photos = new Photos();
const examples = new Examples(photos, change);
const filters = new Filters(change);
const items = new Items((box) => change(() => ({ box })));
const looks = new Looks((look) => change(() => ({ look })));
const asking = new Asking((question) => photos.of(question));
const pages = new Pages(asking, { address: addressLike, but: likeThisBut, choose: chooseAlso }, (products) => examples.remember(products));

/** @type {import("./question.js").Question} */
let question = ask.NOTHING;
let running = new AbortController();

// --- from one question to the next ---

/** Asks the question after a step, as a new entry of the history. */
function go(next, { focus = true } = {}) {
  const photosOf = next.photos.length ? { photos: next.photos } : null;
  history.pushState(photosOf, "", ask.toAddress(next) || location.pathname + location.search);
  route({ focus });
}

/** Filters, order and examples that go: the focus stays where the step was made. */
function change(step) {
  const next = { ...question, ...step(question) };
  // Without anything left to ask, whoever narrows and widens a list still wants one.
  const all = next.all || (!ask.isLooking(next) && !next.words && (ask.isFiltered(question) || ask.isFiltered(next)));
  go({ ...next, all }, { focus: false });
}

function addressLike(product) {
  return ask.toAddress(ask.lookingLike(question, { similar: [product.product_id] }));
}

function likeThisBut(product) {
  go(ask.lookingLike(question, { similar: [product.product_id] }), { focus: false });
  scrollTo({ top: 0 });
  at("words").focus({ preventScroll: true });
}

/** Only what has that value; what was pressed goes with the list, and the focus moves on to the results. */
function chooseAlso(field, value) {
  change((now) => ask.toggled(now, field, value));
  at("results-title").focus({ preventScroll: true });
}

function route({ focus = true } = {}) {
  const before = ask.core(question);
  const asked = ask.fromAddress(location.hash, history.state);
  const there = asked.photos.filter((number) => photos.has(number));
  const lost = there.length < asked.photos.length;
  question = { ...asked, photos: there };
  at("words").value = question.words;
  at("words").placeholder = ask.isLooking(question) ? "but … in blue, of leather" : "What are you looking for?";
  at("sort").value = question.sort;
  if (ask.isAsked(question)) begin(before, focus);
  else start();
  if (lost) showProblem("That photo is no longer here: it never left this page. Choose it again.");
}

function view(name) {
  document.body.dataset.view = name;
  at("results").hidden = name === "start";
}

function start() {
  running.abort();
  pages.clear();
  hideProblem();
  view("start");
  examples.show(question);
  document.title = "Vitrine – find it by a photo or in words";
}

function begin(before, focus) {
  const same = before === ask.core(question) && document.body.dataset.view === "results" && pages.question !== null;
  view("results");
  filters.showChosen(question);
  examples.show(question);
  looks.show(question);
  const asked = question;
  examples.onlyPhoto(question).then((photo) => question === asked && items.keep(photo));
  examples.learn(question).then((more) => more && question === asked && examples.show(question));
  search(same);
  if (!focus) return;
  at("results-title").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

// --- asking ---

/** Asks the present question. `narrowed`: the list before is close to the one that comes, and stays until then. */
async function search(narrowed = false) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const asked = question;
  hideProblem();
  for (const id of ["empty", "partial", "understood"]) at(id).hidden = true;
  at("results").setAttribute("aria-busy", "true");
  at("more").hidden = true;
  if (!narrowed) {
    at("took").textContent = "";
    pages.awaited();
    say("Searching");
  }
  try {
    const answer = await patiently(() => asking.first(asked, signal), signal, tellWaiting);
    if (signal.aborted) return;
    items.keep(await examples.onlyPhoto(asked));
    if (signal.aborted) return;
    items.show(answer.photos?.length === 1 ? answer.photos[0] : undefined);
    hideProblem();
    pages.show(asked, answer, signal);
    filters.show(asked, answer);
    showAnswer(answer, asked);
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    pages.clear();
    showError(error, asked);
  } finally {
    if (!signal.aborted) at("results").removeAttribute("aria-busy");
  }
}

function tellWaiting(error) {
  showProblem(`${words.problem(error).replace(/ Try again.*/, "")} Your search waits and goes on by itself.`);
}

function showAnswer(answer, asked) {
  const found = words.found(answer);
  const none = answer.results.length === 0;
  const asOf = answer.watermark ? ` · as of ${words.timeOfDay(new Date(answer.watermark))}` : "";
  const order = ask.isLooking(asked) && !asked.words && !asked.sort ? ", the most alike first" : "";
  at("took").textContent = none ? "" : `${found}${order} · in ${words.count(Math.ceil(answer.took_ms.total))} ms${asOf}`;
  showUnderstood(asked, answer);
  const missing = showGaps(answer);
  at("empty").hidden = !none;
  at("empty-words").textContent = words.nothing(asked.words, ask.isLooking(asked), ask.isFiltered(asked));
  at("empty-clear").hidden = !ask.isFiltered(asked);
  say([none ? "No products found" : `${found} found`, missing].filter(Boolean).join(". "));
}

function showError(error, asked) {
  const gone = error.reason === "not_found" && asked.similar.length > 0;
  const text = gone ? words.GONE : words.problem(error);
  const remedies = [];
  if (gone) {
    remedies.push(["New search", () => go(ask.NOTHING)]);
  } else if (error.status >= 500 || ["no_connection", "too_many_requests"].includes(error.reason)) {
    remedies.push(["Try again", () => search()]);
  } else if (ask.isFiltered(asked)) {
    remedies.push(["Clear the filters", () => filters.clear()]);
  }
  showProblem(text, ...remedies);
}

// --- what the shopper hands over ---

async function take(find) {
  try {
    hideProblem();
    const files = find();
    if (question.photos.length + question.examples.length + files.length > ask.MOST_PHOTOS) throw new api.AskError("too_many_photos");
    const asked = question;
    const numbers = await Promise.all(files.map((file) => photos.keep(file)));
    go({ ...asked, photos: [...asked.photos, ...numbers], box: null, sort: "" });
  } catch (error) {
    showProblem(words.problem(error));
  }
}

/** The words in the box; none at all, with nothing else, ask for everything. */
function askWords() {
  const text = at("words").value.trim();
  combobox.close();
  const next = { ...question, words: text };
  go({ ...next, all: !text && !ask.isLooking(next) });
}

/** A suggested brand or category: it takes the place of the words, as if it was chosen in the panel. */
function choose(field, value) {
  const chosen = { ...question.chosen, [field]: [value] };
  go({ ...question, words: "", chosen, all: !ask.isLooking(question) });
}

for (const [value, name] of ask.SORTS) at("sort").append(new Option(name, value));
at("sort").addEventListener("change", () => change(() => ({ sort: at("sort").value })));

const combobox = new Combobox(at("words"), at("suggestions"), (text, field) => (ask.FIELDS.has(field) ? choose(field, text) : askWords()));
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  askWords();
});
at("home").addEventListener("click", (event) => {
  event.preventDefault();
  go(ask.NOTHING);
});
at("browse").href = ask.toAddress({ ...ask.NOTHING, all: true });
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  (at("results").hidden ? at("words") : at("results-title")).focus();
});
at("skip-filters").addEventListener("click", (event) => {
  event.preventDefault();
  (at("products").querySelector("a") ?? at("sort")).focus();
});
at("back").addEventListener("click", () => (history.length > 1 ? history.back() : go(ask.NOTHING)));
at("empty-clear").addEventListener("click", () => filters.clear());
addEventListener("popstate", () => route());

wirePhotos(take);
examples.offer();
new Freshness(at("freshness"), say).start();
route();
