// @ts-check
// Under a video of the demo model: what it is, and what a real model would take for the same on this machine.

import { bestModel, toGet } from "../create/form_values.js";
import { t } from "../lib/catalogue.js";
import { h, setText, show } from "../lib/dom.js";
import { costOf } from "../lib/expected.js";
import { duration } from "../lib/format.js";

/** @import { Job, Options } from "../types.d.ts" */

export class DemoNote {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    /** @type {string} */
    this.asked = ""; // the job that is shown
    this.words = h("span");
    this.link = h("a", { href: "./?view=system", data: { go: "system" } });
    this.element = h("p", { class: "demo-note", hidden: true }, this.words, this.link);
  }

  /** @param {Job} job */
  draw(job) {
    const made = this.options.models.find((model) => model.name === job.settings.model);
    const shown = job.status === "done" && Boolean(made?.demo);
    show(this.element, shown);
    if (!shown) return;
    setText(this.words, t("demo.what"));
    show(this.link, false);
    this.asked = job.id;
    this.tellReal(job);
  }

  /** @param {Job} job */
  async tellReal(job) {
    const { models, owns_machine: owns } = this.options;
    const here = bestModel(models);
    const real = here && !here.demo && !here.trial ? here : toGet(models);
    if (!real) return;
    const cost = await costOf(real, job.settings);
    if (this.asked !== job.id) return;
    const time = cost && duration(cost.seconds);
    const sentences = [t("demo.what"), t("demo.real", { label: real.label }), time && t("demo.time", { time })];
    setText(this.words, `${sentences.filter(Boolean).join(" ")} `); // a space of its own would jump to the next line
    show(this.link, Boolean(real.missing) && owns);
    setText(this.link, t("welcome.get"));
    this.link.dataset.model = real.name;
  }
}
