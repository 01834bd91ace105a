// From a question to answers: its first page with counts, further pages, and how scores came about.

import * as api from "./api.js";
import { FIELDS, filterOf, hasOnePhoto, isLooking } from "./question.js";

export const PAGE = 24;
const MOST_VALUES = 100;
const WAITS_MS = [1000, 2000, 3000, 5000, 5000, 10_000, 10_000, 15_000]; // while the shop is starting

/**
 * @typedef {import("./question.js").Question} Question
 * @typedef {{values?: {value: string, count: number}[], low?: number, high?: number, products: number}} Facet
 */

// Colours of pictures are nearly those of `colour` once more: they are chosen where a picture shows them.
const COUNTED = [...FIELDS.keys()].filter((field) => field !== "colours");
const FACETS = [...COUNTED, "price"].map((field) => ({ field, limit: MOST_VALUES, exclude_own: true }));

export class Asking {
  /** @param {(question: Question, signal: AbortSignal) => Promise<string[]>} photosOf its photos, in base64 */
  constructor(photosOf) {
    this.photosOf = photosOf;
  }

  /**
   * The first page. A field that is filtered by is counted as if it were not: that is what else could be chosen.
   *
   * @param {Question} question
   * @returns {Promise<object>} the answer, with `facets` (`Record<string, Facet>`), and what there is in its photos
   */
  async first(question, signal) {
    return api.search({ ...(await this.body(question, signal)), facets: FACETS }, signal);
  }

  /** The page after `cursor`. @param {Question} question */
  async next(question, cursor, signal) {
    return api.search({ ...(await this.body(question, signal)), cursor }, signal);
  }

  /** The page after `cursor` ("": the first), and how it came about. @param {Question} question */
  async explained(question, cursor) {
    return api.search({ ...(await this.body(question)), cursor, explain: true });
  }

  async body(question, signal) {
    const photos = await this.photosOf(question, signal);
    const boxed = question.box && hasOnePhoto(question);
    const images = boxed ? photos.map((data) => ({ data, box: question.box })) : photos;
    return {
      ...(images.length ? { images, items: true } : {}),
      ...(question.similar.length ? { products: question.similar } : {}),
      ...(Object.keys(question.look).length && isLooking(question) ? { look: question.look } : {}),
      ...(question.words ? { text: question.words } : {}),
      filter: filterOf(question),
      sort: question.sort,
      limit: PAGE,
    };
  }
}

/** `work`, again after a while for as long as the server says that it will pass; `waiting(error)` tells. */
export async function patiently(work, signal, waiting) {
  for (const wait of WAITS_MS) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof api.AskError) || !error.passes) throw error;
      waiting(error);
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (signal.aborted) throw new DOMException("another search", "AbortError");
    }
  }
  return work();
}
