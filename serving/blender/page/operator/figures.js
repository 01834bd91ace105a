// The search log's figures by day, as tables. A key is kept for as long as the page is open, and nowhere else.

import { AskError, report } from "../js/api.js";
import { at } from "../js/element.js";
import * as words from "../js/words.js";
import { draw } from "./table.js";

const NONE = "none";
const share = (part) => (part === null ? NONE : `${(100 * part).toFixed(1)} %`);
const decimal = (digits) => (value) => (value === null ? NONE : value.toFixed(digits));

/** Heading and how a day's figure is written. */
const FIGURES = [
  ["Searches", (day) => words.count(day.searches)],
  ["Further pages", (day) => words.count(day.further_pages)],
  ["With a photo", (day) => share(day.with_photo)],
  ["With words", (day) => share(day.with_words)],
  ["Without a result", (day) => share(day.without_result)],
  ["Clicks", (day) => words.count(day.clicks)],
  ["Carts", (day) => words.count(day.carts)],
  ["Bought", (day) => words.count(day.purchases)],
  ["CTR", (day) => share(day.clicked_share)],
  ["MRR", (day) => decimal(3)(day.mrr)],
  ["Position clicked", (day) => decimal(1)(day.mean_position)],
  ["p50 ms", (day) => decimal(1)(day.took_p50_ms)],
  ["p95 ms", (day) => decimal(1)(day.took_p95_ms)],
  ["Products shown", (day) => words.count(day.products)],
];
const MOST_WORDS = 5;
const asked = (counts) => counts.slice(0, MOST_WORDS).map((each) => `${each.words} (${words.count(each.searches)})`).join(", ") || NONE;
const WORDS = [
  ["Most asked for", (day) => asked(day.top_words)],
  ["In vain", (day) => asked(day.top_words_without_result)],
];

const DAY = ["Day", (day) => day.day];

function show({ at: readAt, days, unreadable }) {
  const newest = [...days].reverse();
  draw(at("figures"), DAY, FIGURES, newest, "number");
  draw(at("asked-words"), DAY, WORDS, newest.filter((day) => day.top_words.length || day.top_words_without_result.length), "");
  at("as-of").textContent = `As of ${words.timeOfDay(new Date(readAt))}. Days are UTC; a share is of the searches of its day.`;
  const strange = days.reduce((sum, day) => sum + day.clicks_not_shown, 0);
  const remarks = [
    days.some((day) => day.sampled) && "Products and words of the largest days are a sample of all there were.",
    strange && `${words.plural(strange, "click")} on what the answer had not shown there: not counted.`,
    unreadable && `${words.plural(unreadable, "record")} in the log cannot be read.`,
  ];
  at("remarks").textContent = remarks.filter(Boolean).join(" ");
}

function fail(error) {
  if (!(error instanceof AskError)) throw error;
  const wantsKey = error.status === 401 || error.status === 403;
  if (wantsKey) at("key-label").hidden = false;
  const said = {
    search_log_off: "Nothing is logged here. Set VITRINE_SEARCH_LOG=true, run vitrine start, and restart the blender.",
    no_connection: "Vitrine does not answer.",
    key_missing: "This needs a key of the role operate.",
  };
  at("problem").textContent = said[error.reason] ?? (error.detail || error.reason);
  at("problem").hidden = false;
  if (wantsKey) at("key").focus();
}

async function ask() {
  at("problem").hidden = true;
  at("as-of").textContent = "Reading the log …";
  try {
    show(await report(Number(at("days").value), at("key").value.trim()));
  } catch (error) {
    for (const id of ["figures", "asked-words"]) at(id).hidden = true;
    at("as-of").textContent = "";
    fail(error);
  }
}

at("asked-for").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
ask();
