// @ts-check
// A choice among a few: one button each, with a note below.

import { h, setText } from "../lib/dom.js";

/** @import { FormValues, Photo } from "../types.d.ts" */

/**
 * @typedef {object} Item
 * @property {string | number} value
 * @property {string} title
 * @property {(values: FormValues, photo?: Photo) => string} note
 * @property {boolean} [advanced] shown only with the folded settings
 */

/** @typedef {"resolution" | "seconds" | "quality" | "fit"} SegmentsKey */

export class Segments {
  /** @param {SegmentsKey} key @param {string} label @param {Item[]} items @param {(value: string | number) => void} choose */
  constructor(key, label, items, choose) {
    this.key = key;
    this.choices = items.map((item) => ({
      item,
      input: h("input", { type: "radio", name: key, value: item.value, onchange: () => choose(item.value) }),
      note: h("small"),
      costs: key === "resolution" ? [h("small", { class: "cost" }), h("small", { class: "cost" })] : [],
    }));
    this.element = h("fieldset", { class: `segments ${key}` }, h("legend", {}, label),
      h("div", { class: "row" }, this.choices.map(({ item, input, note, costs }) =>
        h("label", { class: item.advanced ? "advanced-only" : "" }, input, h("span", {}, h("b", {}, item.title), note, ...costs)))));
  }

  /** @param {FormValues} values @param {Photo} [photo] */
  draw(values, photo) {
    for (const { item, input, note } of this.choices) {
      input.checked = values[this.key] === item.value;
      setText(note, item.note(values, photo));
    }
  }
}
