// What parts of the look count: sliders, shown where the index's look has parts and something is looked like.

import { at, element } from "./element.js";
import { isLooking, LOOKS, USUAL } from "./question.js";

export class Looks {
  /** @param {(look: Record<string, number>) => void} choose */
  constructor(choose) {
    this.sliders = new Map();
    for (const [part, name] of LOOKS) {
      const slider = Object.assign(element("input"), { type: "range", min: "0", max: "3", step: "0.5" });
      slider.addEventListener("input", () => this.tell(slider));
      slider.addEventListener("change", () => choose(this.chosen()));
      const label = element("label", "look-part", name);
      label.append(slider);
      this.sliders.set(part, slider);
      at("look-parts").append(label);
    }
    at("look-usual").addEventListener("click", () => choose({}));
  }

  /** @param {import("./question.js").Question} question */
  show(question) {
    at("look").hidden = !isLooking(question);
    for (const [part, slider] of this.sliders) {
      slider.value = String(question.look[part] ?? USUAL);
      this.tell(slider);
    }
    at("look-usual").hidden = Object.keys(question.look).length === 0;
    if (!at("look-usual").hidden) at("look").open = true;
  }

  tell(slider) {
    const weight = Number(slider.value);
    slider.setAttribute("aria-valuetext", weight === 0 ? "not at all" : weight === USUAL ? "as usual" : `${weight} times as much`);
  }

  chosen() {
    const all = [...this.sliders].map(([part, slider]) => [part, Number(slider.value)]);
    return Object.fromEntries(all.filter(([, weight]) => weight !== USUAL));
  }
}
