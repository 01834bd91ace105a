// Why a product stands where it stands: how its score came about, in a list below it.

import { button, element, unseen } from "./element.js";
import { isFiltered, isLooking, SORTS } from "./question.js";
import * as words from "./words.js";

const NAMES = { sales: "Sales", praise: "Praise", price: "Price", listed: "Newness" };

/**
 * A list of reasons. `explain`: of the product; `shards`: how each was searched, for who runs the shop;
 * `choose(field, value)`: asks for that alone.
 */
export function reasons(product, explain, shards, question, choose) {
  const box = element("div", "reasons");
  const list = element("ul");
  list.setAttribute("role", "list");
  list.append(...lines(product, explain, question).map((line) => element("li", "", line)));
  box.append(list, ...chipsOf(explain.shown ?? {}, question, choose));
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

function lines(product, { look, words: found, meaning, relevance, relevance_weight: weight, measures, score, shown }, question) {
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
  if (shown) told.push(...seen(shown));
  if (isFiltered(question)) told.push("Passes the filters.");
  if (question.sort) told.push(`Ordered by: ${SORTS.get(question.sort).toLowerCase()}.`);
  if (!look && !found && !meaning) told.push("There is no photo and are no words to compare it with.");
  else if (Object.keys(measures ?? {}).length) told.push(`Score: ${words.points(score)}, of relevance × ${weight} and what was added.`);
  return told;
}

/** What is told of the picture. */
function seen({ colour, colours, objects, words: read }) {
  const told = [];
  if (colour) told.push(`Its picture is of one colour: ${colour}.`);
  const others = (colours ?? []).filter((each) => each !== colour);
  if (others.length) told.push(`Its picture shows ${colour ? "some " : ""}${others.join(", ")}.`);
  if (objects?.length) told.push(`Seen in its picture: ${objects.join(", ")}.`);
  if (read) told.push(`Read in its picture: “${read}”.`);
  return told;
}

/** What the picture shows, to be asked for alone. */
function chipsOf({ colours, objects }, question, choose) {
  const shown = [...(colours ?? []).map((each) => ["colours", each]), ...(objects ?? []).map((each) => ["objects", each])];
  const chips = shown
    .filter(([field, value]) => !question.chosen[field]?.includes(value))
    .map(([field, value]) => {
      const chip = button("chip", "", () => choose(field, value));
      chip.append(unseen("Only what shows "), value);
      const item = element("li");
      item.append(chip);
      return item;
    });
  if (!chips.length) return [];
  const list = element("ul", "chips");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", "Shown in the picture");
  list.append(...chips);
  return [list];
}
