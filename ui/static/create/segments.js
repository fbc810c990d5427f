// @ts-check
// A choice among a few: one button each, with a note below.

import { h, setText, show } from "../lib/dom.js";

/** @import { FormValues, Photo } from "../types.d.ts" */

/**
 * @typedef {object} Item
 * @property {string | number} value
 * @property {string} title
 * @property {(values: FormValues, photo?: Photo) => string} note
 * @property {boolean} [advanced] shown only with the folded settings
 */

/** @typedef {"shape" | "resolution" | "seconds" | "quality" | "motion" | "mode" | "fit"} SegmentsKey */

/** Lines about what an item costs on this machine. @type {Partial<Record<SegmentsKey, number>>} */
const COSTS = { resolution: 2, mode: 1 };

export class Segments {
  /** @param {SegmentsKey} key @param {string} label @param {Item[]} items @param {(value: string | number) => void} choose */
  constructor(key, label, items, choose) {
    this.key = key;
    this.choices = items.map((item) => ({
      item,
      input: h("input", { type: "radio", name: key, value: item.value, onchange: () => choose(item.value) }),
      note: h("small"),
      costs: Array.from({ length: COSTS[key] ?? 0 }, () => h("small", { class: "cost" })),
    }));
    this.aside = h("span", { class: "aside" });
    this.element = h("fieldset", { class: `segments ${key}` }, h("legend", {}, label, this.aside),
      h("div", { class: "row" }, this.choices.map(({ item, input, note, costs }) =>
        h("label", { class: item.advanced ? "advanced-only" : "" }, input, h("span", {}, h("b", {}, item.title), note, h("span", { class: "costs" }, costs))))));
  }

  /** Show only some of the items, and nothing where there is no choice. @param {(string | number)[]} values */
  offer(values) {
    for (const { item, input } of this.choices) if (input.parentElement) show(input.parentElement, values.includes(item.value));
    show(this.element, values.length > 1);
  }

  /** @param {FormValues} values @param {Photo} [photo] @param {string | number} [chosen] where that is not among the values */
  draw(values, photo, chosen = this.key === "motion" ? "" : values[this.key]) {
    for (const { item, input, note } of this.choices) {
      input.checked = chosen === item.value;
      setText(note, item.note(values, photo));
    }
  }
}
