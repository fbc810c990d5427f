// @ts-check
// The chosen model in the form: its name, what it is for, and the way to the others.

import { language, t } from "../../lib/catalogue.js";
import { h, setText } from "../../lib/dom.js";

/** @import { ModelOption } from "../../types.d.ts" */

export class ModelPick {
  /** @param {string} label @param {() => void} open */
  constructor(label, open) {
    this.name = h("b");
    this.purpose = h("span", { class: "tag" });
    this.about = h("span", { class: "pick-about" });
    /** Its value is the name of the model. */
    this.button = h("button", { type: "button", id: "f-model", class: "pick", "aria-haspopup": "dialog", onclick: open },
      h("span", { class: "pick-name" }, h("span", { class: "pick-label" }, label), this.name, this.purpose), this.about, h("span", { class: "pick-other" }, h("span", {}, t("models.change"))));
    this.element = h("div", { class: "field model" }, this.button);
  }

  /** @param {ModelOption} model */
  draw({ name, label, purpose, summary }) {
    this.button.value = name;
    setText(this.name, label);
    setText(this.purpose, purpose?.[language] ?? "");
    setText(this.about, summary[language]);
  }
}
