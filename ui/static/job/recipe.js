// @ts-check
// What a job was asked with: its settings in one line, its prompt, and the seed for the next video.

import { t } from "../lib/catalogue.js";
import { copyText } from "../lib/clipboard.js";
import { h, icon, ICONS, setText, show } from "../lib/dom.js";
import { when } from "../lib/format.js";
import { facts } from "./job_words.js";

/** @import { Hooks, Job } from "../types.d.ts" */

export class Recipe {
  /** @param {Hooks} hooks */
  constructor(hooks) {
    this.prompt = "";
    this.seed = 0;
    this.facts = h("span", { class: "facts" });
    this.useSeed = h("button", { type: "button", class: "link", data: { recipe: "seed" }, onclick: () => hooks.seed(this.seed) });
    this.words = h("p", { dir: "auto", tabIndex: 0 });
    this.copy = h("button", { type: "button", class: "plain small icon", data: { recipe: "copy" }, onclick: () => copyText(this.prompt, t("job.prompt_copied")) }, icon(ICONS.copy));
    this.box = h("div", { class: "job-prompt", role: "group", hidden: true }, this.words, this.copy);
    this.element = h("div", { class: "recipe" }, h("p", {}, this.facts, " ", this.useSeed), this.box);
  }

  /** @param {Job} job */
  draw(job) {
    const { prompt, seed } = job.settings;
    setText(this.facts, facts(job));
    this.facts.title = job.created ? t("job.created", { when: when(job.created) }) : "";
    this.seed = seed;
    setText(this.useSeed, t("job.use_seed"));
    this.prompt = prompt;
    setText(this.words, prompt);
    show(this.box, prompt !== "");
    this.box.setAttribute("aria-label", t("job.prompt"));
    for (const attribute of ["title", "aria-label"]) this.copy.setAttribute(attribute, t("job.copy_prompt"));
  }
}
