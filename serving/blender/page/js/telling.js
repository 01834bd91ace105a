// What the page says beside its results: to screen readers, about problems, about what is missing from an answer.

import { at, button, element } from "./element.js";
import * as words from "./words.js";

const SURE = 0.6; // of a category, before it is told

/** Said by a screen reader when it is done with what it is saying. */
export function say(text) {
  const live = at("live");
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = text));
}

/** A problem in words, with buttons for what can be done: `[text, press]` each. */
export function showProblem(text, ...remedies) {
  const box = at("problem");
  box.replaceChildren(element("span", "", text), ...remedies.map(([name, press]) => button("", name, press)));
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
}

export const hideProblem = () => (at("problem").hidden = true);

/** What is missing from this answer: shards that are silent, pictures that are not looked at yet. */
export function showGaps({ partial, missing_shards: missing, pending_images: pending }) {
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
  return partial ? gaps[0] : "";
}

/** How the words were understood, where it was not as they stand. */
export function showUnderstood(question, { match, corrected, matches, category, by_meaning: byMeaning }) {
  const told = Object.entries(corrected ?? {}).map(([typed, meant]) => `No product has “${typed}”: searched for “${meant}” instead.`);
  if (category?.length && category[0].p >= SURE) told.push(`It looks like: ${category[0].name}.`);
  if (byMeaning && !matches) told.push("No product has these words; these look as they sound.");
  else if (byMeaning) told.push("No product has all of these words; these have some of them, or look as they sound.");
  else if (match === "any" && /\S\s+\S/.test(question.words)) told.push("No product has all of these words; these have some of them.");
  at("understood").textContent = told.join(" ");
  at("understood").hidden = told.length === 0;
}
