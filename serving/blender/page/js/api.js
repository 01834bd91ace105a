// The HTTP interface of the blender, as promises. Every failure is an `AskError`; an aborted call stays an AbortError.

export class AskError extends Error {
  constructor(reason, detail = "", status = 0) {
    super(detail || reason);
    this.reason = reason;
    this.detail = detail;
    this.status = status;
  }

  /** Whether the same question may be answered a moment later. */
  get passes() {
    return ["not_ready", "overloaded", "unreachable"].includes(this.reason);
  }
}

async function ask(address, options = {}) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new AskError("no_connection", String(error));
  }
  if (response.ok) return response;
  let reason = "";
  let detail = "";
  try {
    ({ reason, detail } = (await response.json()).error);
  } catch {
    // A proxy in between answers in its own words; the status says enough.
    reason = response.status === 413 ? "too_large" : "";
  }
  throw new AskError(reason, detail, response.status);
}

const json = async (address, options) => (await ask(address, options)).json();

const post = (address, body, signal) =>
  json(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

const bearer = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

/** Any question: photos, words, products and filters together; docs/search.md says what may stand in it. */
export const search = (question, signal) => post("v1/search", question, signal);

/** How `text` may go on: by words, and by names with their `field`, with the number of products that have them. */
export const suggestions = async (text, limit, signal) =>
  (await json(`v1/suggest?q=${encodeURIComponent(text)}&limit=${limit}`, { signal })).suggestions;

/** Tells the shop's log which of an answer's products was chosen; what becomes of it is no matter to the shopper. */
export function clicked(searchId, productId, position) {
  const click = { search_id: searchId, product_id: productId, position, kind: "click" };
  const options = { method: "POST", keepalive: true, headers: { "Content-Type": "application/json" } };
  fetch("v1/clicks", { ...options, body: JSON.stringify(click) }).catch(() => undefined);
}

export const receipt = (productId, signal) => json(`v1/products/${encodeURIComponent(productId)}/status`, { signal });

/** The search log's figures of the last `days` days; `key` where Vitrine asks for keys. */
export const report = (days, key) =>
  json(`v1/report?days=${days}`, { cache: "no-store", headers: bearer(key) });

export const examples = async () => (await json("v1/examples")).examples;

export const examplePhoto = async (example, signal) => (await ask(exampleAddress(example), { signal })).blob();

/** The index's state, and how far this machine's clock is behind the server's, in ms. */
export async function index(key = "") {
  const asked = Date.now();
  const response = await ask("v1/index", { cache: "no-store", headers: bearer(key) });
  const answered = Date.now();
  // The header has whole seconds: on average half a second is cut off. Smaller differences are not a wrong clock.
  const server = Date.parse(response.headers.get("date")) + 500;
  const behind = server - (asked + answered) / 2;
  return { status: await response.json(), clockBehindMs: Math.abs(behind) > 2000 ? behind : 0 };
}

/** Where a browser finds a product's picture: those in files are served by the blender. Only http(s) otherwise. */
export function pictureAddress(productId, url) {
  if (/^(file|s3):/i.test(url)) return `v1/picture?product=${encodeURIComponent(productId)}&url=${encodeURIComponent(url)}`;
  return /^https?:/i.test(url) ? url : "";
}

/** Where an example's photo is; never elsewhere than at the blender. */
export const exampleAddress = (example) => (/^v1\/examples\/\d+\/photo$/.test(example.image_url) ? example.image_url : "");
