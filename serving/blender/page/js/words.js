// Numbers, ages and errors in plain words.

const whole = new Intl.NumberFormat("en");
const amount = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const count = (number) => whole.format(number);

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** How many products an answer has: those that only look as the words sound are in no number of it. */
export function found({ matches, results, by_meaning: byMeaning, cursor }) {
  const number = Math.max(matches ?? 0, results.length);
  return `${byMeaning && cursor ? "more than " : ""}${plural(number, "product")}`;
}

/** A price; events carry no currency of their own, but a shop may send `currency` as an attribute. */
export function price(product) {
  if (typeof product.price !== "number") return "";
  if (typeof product.currency === "string" && /^[A-Z]{3}$/.test(product.currency)) {
    return new Intl.NumberFormat("en", { style: "currency", currency: product.currency }).format(product.price);
  }
  return amount.format(product.price);
}

/** Bounds of a price, either of which may be open: null. */
export function range(from, to) {
  if (from === null) return `up to ${amount.format(to)}`;
  return to === null ? `from ${amount.format(from)}` : `${amount.format(from)} to ${amount.format(to)}`;
}

export const points = (score) => score.toLocaleString("en", { maximumSignificantDigits: 3 });

/** The inner product of unit vectors as a percentage; opposite directions are no less alike than unrelated ones. */
export const similarity = (score) => `${Math.floor(Math.max(0, Math.min(1, score)) * 100)} %`;

export const percent = (share) => `${Math.round(share * 100)} %`;

export const timeOfDay = (date) => clock.format(date);

/** "2 seconds", "5 minutes", "3 hours", "4 days". */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return plural(seconds, "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return plural(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return hours < 48 ? plural(hours, "hour") : plural(Math.round(hours / 24), "day");
}

/** shoes/running -> "shoes, running". */
export const category = (path) => (typeof path === "string" ? path.split("/").join(", ") : "");

/** An attribute as text; products may carry anything under any name. */
export const text = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");

const WORDS = {
  too_large: "This photo is too large. Choose one of less than 10 MB.",
  image_too_large: "This photo is too large. Choose one of less than 10 MB.",
  image_too_many_pixels: "This picture has too many pixels. Choose a smaller one.",
  image_format: "This file is not a picture that can be read. JPEG, PNG, WebP and GIF work.",
  image_broken: "This picture is damaged and cannot be read. Try another one.",
  image_too_complex: "This picture is stored in an unusual way. Save it anew in another program, or take a picture of the screen.",
  image_empty: "This file is empty. Choose another photo.",
  image_missing: "This picture is not there any more. Try another one.",
  overloaded: "Many people are searching right now. Try again in a moment.",
  key_missing: "This shop's search wants an API key, which this page has none of; whoever runs the shop can put it in front.",
  too_many_requests: "That was more than this shop allows at a time. Try again in a moment.",
  overdue: "The search took too long. Try again in a moment.",
  not_ready: "Vitrine is still starting and cannot answer yet. Try again in a moment.",
  unreachable: "The index does not answer right now. Try again in a moment.",
  own_vectors: "This shop cannot be searched by a photo. Use words, or start from one of its products.",
  extractor_mismatch: "The search and its index do not fit together; whoever runs this shop has to look at it.",
  no_connection: "The shop does not answer. Check the connection and try again.",
  invalid_filter: "A filter does not fit this catalogue. Remove the filters and search again.",
  invalid_cursor: "The list has changed since. Search again to see it from the start.",
  invalid_query: "These examples cancel each other out, or cannot be compared. Remove one of them.",
  not_an_image: "This file is not a picture. Choose a photo: JPEG, PNG, WebP or GIF.",
  too_many_photos: "That is one photo too many: 8 can be searched with at a time. Remove one first.",
  no_file: "There was no picture in that. Save it as a file first, then drop or choose the file.",
};

/** What went wrong and what to do, for a shopper. `error` has `reason` and, from the server, `status` and `detail`. */
export function problem(error) {
  if (WORDS[error.reason]) return WORDS[error.reason];
  if (error.status >= 500) return "Something went wrong in the shop. Try again in a moment.";
  return error.detail ? `This search is not possible: ${error.detail}` : "This search is not possible.";
}

export const GONE = "This search is not possible: a product that it looks like is no longer in the catalogue. Remove it, or search anew.";

/** What the numbers beside the filters count, where products are shown that they do not. */
export const counted = ({ matches }) =>
  matches
    ? "The numbers count products that have some of these words, not those that only look as they sound."
    : "No product has these words, and those that only look as they sound are not counted here.";

/** Why nothing was found, and what to do. */
export function nothing(text, looking, filtered) {
  if (filtered) return "Nothing passes all of these filters. Remove some of them.";
  if (looking && !text) return "Nothing in the catalogue looks like this. Try another photo, with one thing in the middle.";
  return text ? `Nothing in the catalogue fits “${text}”. Try fewer or other words, or a photo.` : "The catalogue is empty.";
}
