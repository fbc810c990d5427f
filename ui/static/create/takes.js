// @ts-check
// How many videos of each photo are asked for at once: the same settings, another seed for each.

import { t } from "../lib/catalogue.js";
import { h, setText } from "../lib/dom.js";
import { recall, remember } from "../lib/storage.js";

const COUNTS = [1, 2, 4];

export class Takes {
  /** @param {() => void} changed */
  constructor(changed) {
    const kept = recall("takes", 1);
    this.count = COUNTS.includes(kept) ? kept : 1;
    this.legend = h("legend", { class: "unseen" });
    this.choices = COUNTS.map((count) => {
      const choose = () => {
        this.count = count;
        remember("takes", count);
        changed();
      };
      const input = h("input", { type: "radio", name: "takes", value: count, checked: count === this.count, onchange: choose });
      return { count, input, element: h("label", {}, input, h("span", {}, h("b", {}, `×${count}`))) };
    });
    this.element = h("fieldset", { class: "segments takes" }, this.legend, h("div", { class: "row" }, this.choices.map(({ element }) => element)));
    this.label();
  }

  label() {
    setText(this.legend, t("form.takes_of_each"));
    for (const { count, input, element } of this.choices) {
      const words = t("form.takes_count", { n: count });
      input.setAttribute("aria-label", words);
      element.title = words;
    }
  }
}
