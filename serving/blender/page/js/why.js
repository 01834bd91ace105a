// Why a product stands where it stands: how its score came about, in a list below it.

import { element } from "./element.js";
import { isFiltered, isLooking, SORTS } from "./question.js";
import * as words from "./words.js";

const NAMES = { sales: "Sales", praise: "Praise", price: "Price", listed: "Newness" };

/** A list of reasons. `explain`: of the product; `shards`: how each was searched, for who runs the shop. */
export function reasons(product, explain, shards, question) {
  const box = element("div", "reasons");
  const list = element("ul");
  list.setAttribute("role", "list");
  list.append(...lines(product, explain, question).map((line) => element("li", "", line)));
  box.append(list);
  if (shards?.length) {
    const details = element("details");
    const lines = element("ul");
    lines.setAttribute("role", "list");
    lines.append(...shards.map((line) => element("li", "", line)));
    details.append(element("summary", "", "How it was searched"), lines);
    box.append(details);
  }
  return box;
}

function lines(product, { look, words: found, meaning, relevance, relevance_weight: weight, measures, score }, question) {
  const told = [];
  if (look) told.push(`Looks ${words.similarity(look.score)} alike: number ${words.count(look.rank)} by look.`);
  else if (isLooking(question)) told.push("Not among those that look most alike.");
  if (found) told.push(`Has the words, ${words.points(found.score)} points: number ${words.count(found.rank)} by words.`);
  else if (question.words) told.push("Has not the words that were asked for.");
  if (meaning) told.push(`Looks like what the words mean: number ${words.count(meaning.rank)} by meaning.`);
  if (look && found) told.push(`Both together: ${words.points(relevance)}.`);
  for (const [field, { value, part }] of Object.entries(measures ?? {})) {
    const known = value === null ? "not known" : words.count(value);
    told.push(`${NAMES[field] ?? field} (${known}): ${part < 0 ? "takes" : "adds"} ${words.points(Math.abs(part))}.`);
  }
  if (isFiltered(question)) told.push("Passes the filters.");
  if (question.sort) told.push(`Ordered by: ${SORTS.get(question.sort).toLowerCase()}.`);
  if (!look && !found && !meaning) told.push("There is no photo and are no words to compare it with.");
  else if (Object.keys(measures ?? {}).length) told.push(`Score: ${words.points(score)}, of relevance × ${weight} and what was added.`);
  return told;
}
