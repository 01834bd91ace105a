// What is asked, and how it stands in the address: #q=red+boot&similar=p1&brand=Acme&price=10..50&sort=-price.
// Photos are not in the address, which may be passed on: they are in the entry of the browser's history.

/**
 * @typedef {Object} Question Never changed: every step makes a new one.
 * @property {string} words
 * @property {number[]} photos the shopper's, of this visit, by number
 * @property {string[]} examples photos of the sample catalogue, by product id
 * @property {number[] | null} box what of the only photo to look like: x0, y0, x1, y1 as parts of it
 * @property {Record<string, number>} look what parts of the look count, where that is not the usual
 * @property {string[]} similar products to look like, by id
 * @property {Record<string, string[]>} chosen values by field; one of them has to hold
 * @property {{from: number | null, to: number | null}} price
 * @property {string} sort a field, - before it for descending; "" is best match
 * @property {boolean} all the whole catalogue is asked for
 */

/** Fields whose values can be chosen, in the order of the panel, with their names. */
export const FIELDS = new Map([
  ["category", "Category"],
  ["brand", "Brand"],
  ["colour", "Colour"],
  ["size", "Size"],
  ["type", "Type"],
  ["labels", "Labels"],
  ["colours", "Shows colour"],
  ["objects", "Shows"],
]);

/** Parts of the look that can be weighed, with their names. */
export const LOOKS = new Map([
  ["shape", "Shape"],
  ["texture", "Pattern"],
  ["colour", "Colour"],
]);
export const USUAL = 1;
const MOST_WEIGHT = 3;

export const SORTS = new Map([
  ["", "Best match"],
  ["price", "Price, low to high"],
  ["-price", "Price, high to low"],
  ["-sales", "Most sold"],
]);

export const MOST_PHOTOS = 8;
const MOST_PRODUCTS = 16;
const MOST_WORDS = 2000;
const LEAST_SIDE = 0.01; // of a box

/** @type {Question} */
export const NOTHING = Object.freeze({
  words: "",
  photos: [],
  examples: [],
  box: null,
  look: {},
  similar: [],
  chosen: {},
  price: { from: null, to: null },
  sort: "",
  all: false,
});

/** @returns {Question} */
export function fromAddress(hash, state) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const [from, to] = (parts.get("price") ?? "").split("..").map(number);
  const chosen = {};
  for (const field of FIELDS.keys()) {
    const values = [...new Set(parts.getAll(field).filter(Boolean))];
    if (values.length) chosen[field] = values;
  }
  const sort = parts.get("sort") ?? "";
  return {
    words: (parts.get("q") ?? "").trim().slice(0, MOST_WORDS),
    photos: Array.isArray(state?.photos) ? state.photos : [],
    examples: parts.getAll("example").filter(Boolean).slice(0, MOST_PHOTOS),
    box: boxOf(parts.get("box") ?? ""),
    look: lookOf(parts.get("look") ?? ""),
    similar: [...new Set(parts.getAll("similar").filter(Boolean))].slice(0, MOST_PRODUCTS),
    chosen,
    price: { from: from ?? null, to: to ?? null },
    sort: SORTS.has(sort) ? sort : "",
    all: parts.has("all"),
  };
}

/** The question as a hash, without its photos; "" for none. @param {Question} question */
export function toAddress(question) {
  const parts = new URLSearchParams();
  if (question.words) parts.append("q", question.words);
  for (const id of question.examples) parts.append("example", id);
  if (question.box && hasOnePhoto(question)) parts.append("box", question.box.join());
  for (const id of question.similar) parts.append("similar", id);
  const look = Object.entries(question.look).map((part) => part.join(":"));
  if (look.length && isLooking(question)) parts.append("look", look.join(";"));
  for (const [field, values] of Object.entries(question.chosen)) for (const value of values) parts.append(field, value);
  const { from, to } = question.price;
  if (from !== null || to !== null) parts.append("price", `${from ?? ""}..${to ?? ""}`);
  if (question.sort) parts.append("sort", question.sort);
  if (question.all && !isLooking(question) && !question.words) parts.append("all", "yes");
  const text = parts.toString();
  return text ? `#${text}` : "";
}

const number = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : null);

/** A box as it stands in the address; null for what is none. */
function boxOf(text) {
  const box = text.split(",").map(number);
  const inside = box.length === 4 && box.every((part) => part !== null && part >= 0 && part <= 1);
  return inside && box[2] - box[0] >= LEAST_SIDE && box[3] - box[1] >= LEAST_SIDE ? box : null;
}

/** Weights as they stand in the address, shape:0.5;colour:2; what is none is left out. */
function lookOf(text) {
  const parts = text.split(";").map((part) => part.split(":"));
  const known = ([name, weight]) => LOOKS.has(name) && number(weight ?? "") !== null && weight >= 0 && weight <= MOST_WEIGHT;
  return Object.fromEntries(parts.filter(known).map(([name, weight]) => [name, Number(weight)]));
}

/** Whether a box can be meant: there is one photo, and no other. */
export const hasOnePhoto = (question) => question.photos.length + question.examples.length === 1;

/** Whether there is something to look like. */
export const isLooking = (question) => question.photos.length + question.examples.length + question.similar.length > 0;

/** Whether there is a question at all, and not only the start. */
export const isAsked = (question) => isLooking(question) || question.words !== "" || question.all || isFiltered(question);

export const isFiltered = (question) =>
  Object.keys(question.chosen).length > 0 || question.price.from !== null || question.price.to !== null;

/** What is searched for apart from filters and order: when it stays, the answer is the same one, narrowed. */
export const core = (question) =>
  JSON.stringify([question.words, question.photos, question.examples, question.box, question.look, question.similar]);

/** The same question without any filter. */
export const unfiltered = (question) => ({ ...question, chosen: {}, price: NOTHING.price });

/** A new thing to look like: filters stay, the order is by likeness again. */
export const lookingLike = (question, looks) => ({
  ...question,
  words: "",
  photos: [],
  examples: [],
  box: null,
  look: {},
  similar: [],
  sort: "",
  all: false,
  ...looks,
});

/** With a value chosen, or no longer; of a path, what lies above and below it goes. */
export function toggled(question, field, value) {
  const values = question.chosen[field] ?? [];
  const kin = (each) => field === "category" && (each.startsWith(`${value}/`) || value.startsWith(`${each}/`));
  const left = values.includes(value)
    ? values.filter((each) => each !== value)
    : [...values.filter((each) => !kin(each)), value];
  const { [field]: _, ...others } = question.chosen;
  return { ...question, chosen: left.length ? { ...others, [field]: left } : others };
}

/** With a least and a greatest price; the wrong way round, they are turned. */
export function priced(question, from, to) {
  const turned = from !== null && to !== null && from > to;
  return { ...question, price: turned ? { from: to, to: from } : { from, to } };
}

/** The filter as the interface takes it, without the conditions on the field `but`. */
export function filterOf(question, but = "") {
  const filter = {};
  for (const [field, values] of Object.entries(question.chosen)) if (field !== but) filter[field] = values;
  const { from, to } = question.price;
  if (but !== "price" && (from !== null || to !== null)) {
    filter.price = { ...(from === null ? {} : { gte: from }), ...(to === null ? {} : { lte: to }) };
  }
  return filter;
}
