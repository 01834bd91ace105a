// Recall of live queries, a row for each searcher that serves. Asked for with the figures, by the same key.

import { AskError, index } from "../js/api.js";
import { at } from "../js/element.js";
import * as words from "../js/words.js";
import { draw } from "./table.js";

const NONE = "none";
const SHARD = ["Shard", (each) => `${each.shard}, replica ${each.replica}`];
const COLUMNS = [
  ["Recall @10", (each) => (each.recall === null ? NONE : each.recall.toFixed(4))],
  ["Spread", (each) => (each.recall === null ? NONE : each.recall_spread.toFixed(4))],
  ["Queries", (each) => words.count(each.recall_queries)],
  ["Recall @10, filtered", (each) => (each.filtered_recall === null ? NONE : each.filtered_recall.toFixed(4))],
  ["Filtered queries", (each) => words.count(each.filtered_recall_queries)],
  ["Lists looked through", (each) => words.count(each.nprobe)],
  ["Index", (each) => each.index_kind || NONE],
];

async function show() {
  try {
    const { status } = await index(at("key").value.trim());
    draw(at("recall"), SHARD, COLUMNS, status.shards.filter((each) => each.serving), "number");
    at("recall-remark").textContent = "A sample of the searches by look is answered exactly as well; the spread is one query's.";
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    // Why nothing is told is said where the figures would be.
    at("recall").hidden = true;
    at("recall-remark").textContent = "";
  }
}

at("asked-for").addEventListener("submit", show);
show();
