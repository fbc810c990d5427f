// @ts-check
// The LoRAs of a video: a row for each, with its strength. Rows are added and removed; they count in this order.

import { language, t } from "../lib/catalogue.js";
import { h, icon, ICONS, setText, show } from "../lib/dom.js";
import { number } from "../lib/format.js";

/** @import { LoraChoice, ModelOption, Options } from "../types.d.ts" */

export class Loras {
  /** @param {Options} options @param {(loras: LoraChoice[]) => void} change */
  constructor(options, change) {
    this.options = options;
    this.change = change;
    /** @type {LoraChoice[]} */
    this.chosen = [];
    /** @type {Row[]} */
    this.rows = [];
    this.list = h("div", { class: "lora-rows" });
    this.adder = h("button", { type: "button", class: "plain small lora-add", id: "f-loras", onclick: () => this.add() }, icon(ICONS.plus), h("span", {}, t("form.lora_add")));
    const { label, help } = options.settings.loras;
    this.element = h("fieldset", { class: "field loras", "aria-describedby": "f-loras-help" },
      h("legend", {}, label[language]), this.list, this.adder, h("p", { class: "help", id: "f-loras-help" }, help[language]));
  }

  /** Names that no row has. */
  get free() {
    return this.options.loras.filter((name) => !this.chosen.some((one) => one.name === name));
  }

  add() {
    const [name] = this.free;
    this.change([...this.chosen, { name, strength: null }]);
    this.rows.at(-1)?.select.focus();
  }

  /** @param {number} at */
  remove(at) {
    this.change(this.chosen.filter((_, n) => n !== at));
    (this.rows[Math.min(at, this.rows.length - 1)]?.remover ?? this.adder).focus();
  }

  /** @param {number} at @param {Partial<LoraChoice>} part */
  set(at, part) {
    this.change(this.chosen.map((one, n) => (n === at ? { ...one, ...part } : one)));
  }

  /** @param {LoraChoice[]} chosen @param {ModelOption} model */
  draw(chosen, model) {
    this.chosen = chosen;
    show(this.element, model.takes.includes("loras") && this.options.loras.length > 0);
    while (this.rows.length > chosen.length) this.rows.pop()?.element.remove();
    while (this.rows.length < chosen.length) this.list.append(this.rows[this.rows.push(new Row(this, this.rows.length)) - 1].element);
    const { free } = this;
    this.rows.forEach((row, at) => row.draw(chosen[at], free, model.sampling.lora_strength));
    show(this.adder, chosen.length < this.options.most_loras && free.length > 0);
  }
}

class Row {
  /** @param {Loras} owner @param {number} at */
  constructor(owner, at) {
    const { min, max, step } = owner.options.lora_strength;
    this.owner = owner;
    this.select = h("select", { id: `f-lora-${at}`, "aria-label": t("form.lora_nth", { n: at + 1 }) });
    this.select.addEventListener("change", () => owner.set(at, { name: this.select.value, strength: null }));
    this.strength = h("input", { id: `f-lora-strength-${at}`, type: "range", min, max, step });
    this.strength.addEventListener("input", () => owner.set(at, { strength: Number(this.strength.value) }));
    this.output = h("output", { htmlFor: this.strength.id });
    this.remover = h("button", { type: "button", class: "plain small icon", onclick: () => owner.remove(at) }, icon(ICONS.close));
    this.element = h("div", { class: "lora-row" }, this.select, this.strength, this.output, this.remover);
  }

  /** @param {LoraChoice} one @param {string[]} free @param {number} usual strength of the model's preset */
  draw(one, free, usual) {
    const names = this.owner.options.loras.filter((name) => name === one.name || free.includes(name));
    const offered = [...this.select.options].map(({ value }) => value);
    if (names.join("\n") !== offered.join("\n")) this.select.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    this.select.value = one.name;
    this.select.title = one.name; // it may be cut
    const value = one.strength ?? usual;
    if (Number(this.strength.value) !== value) this.strength.value = String(value);
    setText(this.output, number(value, 2));
    this.strength.setAttribute("aria-label", t("form.lora_strength_of", { name: one.name }));
    const words = t("form.lora_remove", { name: one.name });
    this.remover.title = words;
    this.remover.setAttribute("aria-label", words);
  }
}
