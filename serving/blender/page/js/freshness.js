// How fresh the index is: asked every few seconds, its age counted on every second in between.

import { index } from "./api.js";
import { element } from "./element.js";
import * as words from "./words.js";

const ASK_EVERY_MS = 2000;
const BEHIND_AFTER_MS = 15_000;

/** Draws into `box` (a <details>) until the page goes; `say(text)` is called when the state turns, not on every tick. */
export class Freshness {
  constructor(box, say) {
    this.box = box;
    this.line = box.querySelector("#freshness-line");
    this.facts = box.querySelector("#freshness-facts");
    this.say = say;
    this.status = null;
    this.failed = false;
    this.clockBehindMs = 0;
  }

  start() {
    this.ask();
    setInterval(() => this.draw(), 1000);
    setInterval(() => document.hidden || this.ask(), ASK_EVERY_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.ask());
  }

  async ask() {
    try {
      const { status, clockBehindMs } = await index();
      this.status = status;
      this.clockBehindMs = clockBehindMs;
      this.failed = false;
      // Of a shop's own vectors (external:NAME:DIMENSION) nobody here can make one of a photo.
      document.body.dataset.lookParts = status.look_parts.join(" ");
      document.body.classList.toggle("without-photos", status.extractor_id.startsWith("external:"));
    } catch {
      this.failed = true; // it is shown, and asked again
    }
    this.draw();
  }

  draw() {
    const [state, line] = this.look();
    this.line.textContent = line;
    if (this.box.dataset.state !== state) {
      if (this.box.dataset.state !== "unknown" || state !== "fresh") this.say(line);
      this.box.dataset.state = state;
    }
    this.facts.replaceChildren(...this.rows().flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  }

  /** The state (a colour) and its words. */
  look() {
    if (this.failed) return ["lost", "The index does not answer"];
    if (!this.status) return ["unknown", "Asking the index …"];
    const silent = this.silentShards();
    if (silent.length) {
      const all = new Set(this.serving().map((each) => each.shard)).size;
      return ["partial", `${silent.length} of ${words.plural(all, "part")} of the index not ready`];
    }
    if (!this.status.watermark) return ["starting", "The index is starting"];
    const age = this.ageMs();
    if (age > BEHIND_AFTER_MS) return ["behind", `Behind: as of ${words.duration(age)} ago`];
    return ["fresh", `Fresh as of ${Math.max(1, Math.round(age / 1000))} s ago`];
  }

  ageMs() {
    return Math.max(0, Date.now() + this.clockBehindMs - Date.parse(this.status.watermark));
  }

  /** Replicas of the full index that answers; another one may stand beside it, or be on its way. */
  serving() {
    return this.status.shards.filter((each) => each.serving);
  }

  /** Shards of which no replica answers. */
  silentShards() {
    const ready = new Set(this.serving().filter((each) => each.ready).map((each) => each.shard));
    return [...new Set(this.serving().map((each) => each.shard))].filter((shard) => !ready.has(shard));
  }

  rows() {
    if (!this.status) return [];
    const { searchable, pending, refused_images: refused, watermark, serving } = this.status;
    const shards = this.serving();
    const rows = [
      ["Pictures to be found", words.count(searchable)],
      ["Not looked at yet", pending ? words.plural(pending, "picture") : "none"],
      ...(refused ? [["Cannot be used", words.plural(refused, "picture")]] : []),
      ["Has every change up to", watermark ? words.timeOfDay(new Date(watermark)) : "not known yet"],
    ];
    const silent = shards.filter((shard) => !shard.ready);
    for (const each of silent) rows.push([`Shard ${each.shard}, replica ${each.replica}`, each.error || "not ready"]);
    if (!silent.length) rows.push(["Parts of the index", `${words.count(shards.length)}, all answering`]);
    if (serving) rows.push(["Full index", serving === "live" ? "none built yet" : serving]);
    return rows;
  }
}
