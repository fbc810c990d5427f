// @ts-check
// Where no job is shown yet: what will appear here, what this computer can do, and what else could be had.

import { bestModel } from "../create/form_values.js";
import { language, t } from "../lib/catalogue.js";
import { h, icon, ICONS } from "../lib/dom.js";
import { duration, number } from "../lib/format.js";
import { call } from "../lib/net.js";

/** @import { Cost, Doctor, ModelOption, Options } from "../types.d.ts" */

export class Welcome {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.looked = false;
    /** @type {ModelOption | undefined} */
    this.model = undefined;
    /** @type {Record<string, Cost> | undefined} */
    this.costs = undefined;
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
    const ask = async (/** @type {string} */ path, /** @type {(answer: any) => void} */ take) => {
      try {
        take(await call(path));
        this.draw();
      } catch {
        // said elsewhere: the banner shows what is wrong with the connection
      }
    };
    const query = this.model && new URLSearchParams({ model: this.model.name, seconds: String(this.options.durations[0].seconds), quality: this.options.qualities[0].name });
    if (query) await ask(`studio/estimate?${query}`, (costs) => (this.costs = costs));
    if (this.options.owns_machine) await ask(`studio/doctor?language=${language}`, (found) => (this.found = found));
  }

  /** Other models are here than before. */
  renew() {
    if (this.looked && !this.element.hidden) this.look();
  }

  draw() {
    const { resolutions, durations } = this.options;
    /** @type {string[][]} */
    const facts = []; // icon, words, and the link's words where there is one
    const cost = this.costs?.[resolutions[0].name];
    if (cost && this.model) {
      facts.push([ICONS.play, t("welcome.machine", {
        device: t(cost.device === "cpu" ? "welcome.cpu" : "welcome.gpu"), seconds: durations[0].seconds, size: resolutions[0].name,
        model: this.model.label, time: duration(cost.seconds),
      })]);
    }
    const better = this.options.models.find((model) => model.source === "hub" && model.missing && !model.gated && !model.trial);
    if (this.model?.demo && better && this.options.owns_machine) {
      facts.push([ICONS.download, t("welcome.model", { label: better.label, size: number(better.download_gb, 1) }), t("welcome.get")]);
    }
    if (this.found) {
      const wrong = this.found.checks.filter((check) => ["warn", "broken"].includes(check.result)).length;
      facts.push(wrong ? [ICONS.sliders, t("welcome.checks", { n: wrong }), t("welcome.see")] : [ICONS.check, t("welcome.well")]);
    }
    const link = (/** @type {string} */ words) => h("a", { href: "./?view=system", data: { go: "system" } }, words);
    this.facts.replaceChildren(...facts.map(([path, words, action]) => h("li", {}, icon(path), h("span", {}, words, action ? " " : "", action ? link(action) : ""))));
  }
}
