// @ts-check
// One model in the choice: what it is for, what it can, its time for the video that is asked for, and how to get it.

import { language, t } from "../../lib/catalogue.js";
import { h, setText } from "../../lib/dom.js";
import { duration, number } from "../../lib/format.js";
import { abilities, tags, whereabouts } from "../../lib/model_words.js";

/** @import { ModelCost, ModelOption } from "../../types.d.ts" */

export class ModelCard {
  /** @param {ModelOption} model @param {boolean} owns whether the machine is one's own @param {(name: string) => void} choose */
  constructor(model, owns, choose) {
    this.model = model;
    const { name, label, summary, recommended, missing, absent, source, download_gb } = model;
    const id = (/** @type {string} */ part) => `model-${name}-${part}`;
    this.radio = h("input", { type: "radio", name: "model", value: name, id: id("radio"), "aria-describedby": `${id("about")} ${id("cost")}`, onchange: () => choose(name) });
    this.time = h("b", { class: "card-time" });
    this.tight = h("span", { class: "warn" });
    const can = abilities(model);
    const words = absent ? t("welcome.get_gb", { size: number(download_gb, 1) }) : t("welcome.get");
    const get = missing && source === "hub" && owns
      ? h("a", { href: "./?view=system", data: { go: "system", model: name }, "aria-describedby": id("name") }, words) : null;
    this.element = h("div", { class: "model-card", data: { model: name } }, this.radio,
      h("div", { class: "card-words" },
        h("label", { htmlFor: this.radio.id, id: id("name") }, label, h("span", { class: "tags" }, tags(model))),
        h("p", { id: id("about") }, summary[language],
          can && h("span", { class: "card-can" }, can),
          recommended && h("span", { class: "card-reason" }, recommended[language]))),
      h("div", { class: "card-facts" },
        h("p", { id: id("cost") }, this.time, this.tight, (!get || !absent) && h("span", { class: missing ? "" : "here" }, whereabouts(model))), get));
  }

  /** @param {ModelCost | null} cost null: it cannot be told */
  tell(cost) {
    setText(this.time, cost ? t("form.takes", { time: duration(cost.seconds) }) : t("models.no_time"));
    setText(this.tight, cost && !cost.fits ? t("models.tight") : "");
  }
}
