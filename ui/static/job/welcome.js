// @ts-check
// Where no job is shown yet: what will appear here, what this computer can do, and what else could be had.

import { bestModel, toGet } from "../create/form_values.js";
import { language, t } from "../lib/catalogue.js";
import { h, icon, ICONS } from "../lib/dom.js";
import { costOf, firstVideo } from "../lib/expected.js";
import { duration, number } from "../lib/format.js";
import { call } from "../lib/net.js";

/** @import { ModelCost, Doctor, ModelOption, Options } from "../types.d.ts" */

export class Welcome {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.looked = false;
    /** @type {ModelOption | undefined} */
    this.model = undefined;
    /** @type {ModelOption | undefined} */
    this.better = undefined;
    /** @type {Record<string, ModelCost | null>} */
    this.costs = {}; // by model; null: not known
    /** @type {Doctor | undefined} */
    this.found = undefined;
    this.facts = h("ul", { class: "welcome-facts" });
    this.element = h("div", { class: "empty" });
    this.label();
  }

  label() {
    this.element.replaceChildren(icon(ICONS.play), h("p", {}, h("b", {}, t("job.empty")), h("span", {}, t("job.empty_more"))), this.facts);
    this.draw();
  }

  /** Ask, each time that it is shown: what was wrong may be mended. Each answer is drawn when it comes; without them all works the same. */
  async look() {
    this.looked = true;
    this.model = bestModel(this.options.models);
    this.better = toGet(this.options.models);
    for (const model of [this.model, this.better]) {
      if (!model) continue;
      this.costs[model.name] = await costOf(model, firstVideo(this.options));
      this.draw();
    }
    if (!this.options.owns_machine) return;
    try {
      this.found = await call(`studio/doctor?language=${language}`);
      this.draw();
    } catch {
      // said elsewhere: the banner shows what is wrong with the connection
    }
  }

  /** Other models are here than before. */
  renew() {
    if (this.looked && !this.element.hidden) this.look();
  }

  draw() {
    const { seconds, resolution: size } = firstVideo(this.options);
    /** @type {HTMLElement[]} */
    const facts = [];
    const add = (/** @type {string} */ path, /** @type {string} */ words, /** @type {string} */ action = "", model = "") => {
      const link = action && h("a", { href: "./?view=system", data: { go: "system", ...(model && { model }) } }, action);
      facts.push(h("li", {}, icon(path), h("span", {}, words, action ? " " : "", link)));
    };
    const cost = this.model && this.costs[this.model.name];
    if (cost && this.model) {
      add(ICONS.play, t("welcome.machine", { device: t(cost.device === "cpu" ? "welcome.cpu" : "welcome.gpu"), seconds, size, model: this.model.label, time: duration(cost.seconds) }));
    }
    const { better } = this;
    if (better) {
      const real = this.costs[better.name];
      const time = real && t(real.device === "cpu" ? "welcome.takes_cpu" : "welcome.takes", { seconds, size, time: duration(real.seconds) });
      const words = [t("welcome.model", { label: better.label }), better.recommended?.[language], time].filter(Boolean).join(" ");
      const get = real !== undefined && this.options.owns_machine; // never before the time is read
      add(ICONS.download, words, get ? t("welcome.get_gb", { size: number(better.download_gb, 1) }) : "", better.name);
    }
    if (this.found) {
      const wrong = this.found.checks.filter((check) => ["warn", "broken"].includes(check.result)).length;
      if (wrong) add(ICONS.sliders, t("welcome.checks", { n: wrong }), t("welcome.see"));
      else add(ICONS.check, t("welcome.well"));
    }
    this.facts.replaceChildren(...facts);
  }
}
