// @ts-check
// What is to be known of the chosen model before Generate: that it is not here, that it is new, what its licence asks for.

import { language, t } from "../../lib/catalogue.js";
import { h, show } from "../../lib/dom.js";
import { number } from "../../lib/format.js";

/** @import { ModelOption } from "../../types.d.ts" */

export class ModelNote {
  /** @param {boolean} owns whether the machine is one's own */
  constructor(owns) {
    this.owns = owns;
    this.element = h("p", { class: "model-note" });
  }

  /** @param {ModelOption} model */
  draw(model) {
    /** @type {HTMLElement[]} */
    const parts = [];
    if (model.random) parts.push(h("span", {}, t("model.random")));
    if (model.trial) parts.push(h("span", {}, t("model.trial")));
    if (model.absent && this.owns) parts.push(h("span", { class: "warn" }, t("model.absent", { size: number(model.download_gb, 1) })));
    else if (model.missing) parts.push(h("span", { class: "warn" }, model.missing[language]));
    if (model.missing && this.owns) parts.push(h("a", { href: "./?view=system", data: { go: "system", model: model.name } }, t("welcome.get")));
    if (model.licence?.notice) {
      parts.push(h("details", { class: "notice" }, h("summary", {}, model.licence.powered_by ? h("b", {}, model.licence.powered_by) : model.licence.name),
        model.licence.notice, " ", h("a", { href: model.licence.url, target: "_blank", rel: "noopener" }, model.licence.name)));
    }
    this.element.replaceChildren(...parts.flatMap((part, at) => (at ? [" ", part] : [part])));
    show(this.element, parts.length > 0);
  }
}
