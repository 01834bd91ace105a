// From a question to answers: its first page with counts, further pages, and how scores came about.

import * as api from "./api.js";
import { FIELDS, filterOf, isLooking } from "./question.js";

export const PAGE = 24;
const MOST_VALUES = 100;
const WAITS_MS = [1000, 2000, 3000, 5000, 5000, 10_000, 10_000, 15_000]; // while the shop is starting

/**
 * @typedef {import("./question.js").Question} Question
 * @typedef {{values?: {value: string, count: number}[], low?: number, high?: number, products: number}} Facet
 */

const facetOf = (field) => (field === "price" ? "price" : { field, limit: MOST_VALUES });

export class Asking {
  /** @param {(question: Question, signal: AbortSignal) => Promise<string[]>} photosOf its photos, in base64 */
  constructor(photosOf) {
    this.photosOf = photosOf;
  }

  /**
   * The first page. A field that is filtered by is counted as if it were not: that is what else could be chosen.
   *
   * @param {Question} question
   * @returns {Promise<{answer: object, facets: Record<string, Facet>}>}
   */
  async first(question, signal) {
    const fields = [...FIELDS.keys(), "price"];
    const filter = filterOf(question);
    const free = fields.filter((field) => !(field in filter));
    const [answer, others] = await Promise.all([
      api.search({ ...(await this.body(question, signal)), facets: free.map(facetOf) }, signal),
      this.others(question, fields.filter((field) => field in filter), signal),
    ]);
    return { answer, facets: { ...answer.facets, ...others } };
  }

  /** The page after `cursor`. @param {Question} question */
  async next(question, cursor, signal) {
    return api.search({ ...(await this.body(question, signal)), cursor }, signal);
  }

  /** The page after `cursor` ("": the first), and how it came about. @param {Question} question */
  async explained(question, cursor) {
    return api.search({ ...(await this.body(question)), cursor, explain: true });
  }

  /** Counts of fields that are filtered by, each without its own filter. Without them the page works as well. */
  async others(question, fields, signal) {
    if (!fields.length) return {};
    try {
      // Counts with something to look like are the same whatever that is: a vector costs least.
      const look = isLooking(question) ? { vectors: [await unitVector()] } : {};
      const queries = fields.map((field) => ({
        ...look,
        ...(question.words ? { text: question.words } : {}),
        filter: filterOf(question, field),
        facets: [facetOf(field)],
        limit: 1,
      }));
      const answers = await api.batch(queries, signal);
      return Object.assign({}, ...answers.map((each) => each.answer?.facets ?? {}));
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return {};
    }
  }

  async body(question, signal) {
    const images = await this.photosOf(question, signal);
    return {
      ...(images.length ? { images } : {}),
      ...(question.similar.length ? { products: question.similar } : {}),
      ...(question.words ? { text: question.words } : {}),
      filter: filterOf(question),
      sort: question.sort,
      limit: PAGE,
    };
  }
}

async function unitVector() {
  const { status } = await api.index();
  return Array.from({ length: status.dimension }, (_, place) => (place === 0 ? 1 : 0));
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
