// The shopper's photos of this visit: taken in by choosing, dropping, pasting or the camera, kept for back and forward.

import * as api from "./api.js";
import { at } from "./element.js";
import { filesOf, prepared } from "./photo.js";

const KEPT = 40;

export class Photos {
  constructor() {
    /** @type {Map<number, {blob: Blob, address: string}>} */
    this.kept = new Map();
    this.last = 0;
    /** Photos in base64, as they are sent: by number, or by an example's id. @type {Map<number | string, Promise<string>>} */
    this.encoded = new Map();
    this.examples = api.examples().catch(() => []); // the page works without them
  }

  /** Keeps a photo for as long as there are not too many newer ones; gives its number. Throws `AskError`. */
  async keep(file) {
    const blob = await prepared(file);
    this.last += 1;
    this.kept.set(this.last, { blob, address: URL.createObjectURL(blob) });
    const oldest = this.last - KEPT;
    if (this.kept.has(oldest)) {
      URL.revokeObjectURL(this.kept.get(oldest).address);
      this.kept.delete(oldest);
      this.encoded.delete(oldest);
    }
    return this.last;
  }

  has(number) {
    return this.kept.has(number);
  }

  addressOf(number) {
    return this.kept.get(number)?.address ?? "";
  }

  async exampleOf(id) {
    return (await this.examples).find((each) => each.product_id === id);
  }

  /** A question's photos, in base64. Throws `AskError`. @param {import("./question.js").Question} question */
  of(question, signal) {
    return Promise.all([
      ...question.photos.map((number) => this.once(number, async () => this.kept.get(number).blob)),
      ...question.examples.map((id) => this.once(id, () => this.exampleBlob(id, signal))),
    ]);
  }

  once(key, blob) {
    if (!this.encoded.has(key)) {
      const made = blob().then(base64);
      made.catch(() => this.encoded.delete(key));
      this.encoded.set(key, made);
    }
    return this.encoded.get(key);
  }

  async exampleBlob(id) {
    const example = await this.exampleOf(id);
    if (!example) throw new api.AskError("image_missing");
    return prepared(await api.examplePhoto(example));
  }
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(new api.AskError("image_broken")));
    reader.readAsDataURL(blob);
  });
}

/** Calls `take(find)` for whatever is handed over; `find()` gives its files, or throws `AskError`. */
export function wirePhotos(take) {
  for (const [pressed, chooser] of [["choose", "file"], ["take", "camera"]]) {
    at(pressed).addEventListener("click", () => at(chooser).click());
    at(chooser).addEventListener("change", async () => {
      const files = [...at(chooser).files];
      if (files.length) await take(() => files);
      at(chooser).value = "";
    });
  }
  addEventListener("paste", (event) => {
    // Words that are pasted into a field stay words.
    if (!event.clipboardData?.files.length && event.target.closest?.("input")) return;
    event.preventDefault();
    take(() => filesOf(event.clipboardData));
  });
  wireDrop(take);
}

function wireDrop(take) {
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
    take(() => filesOf(event.dataTransfer));
  });
}
