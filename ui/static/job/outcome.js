// @ts-check
// What came of a job beside its video: why it failed and what helps, warnings, what its model's licence asks for.

import { language, t } from "../lib/catalogue.js";
import { h, show } from "../lib/dom.js";
import { recoveryActions } from "./recovery.js";

/** @import { Hooks, Job, Said } from "../types.d.ts" */

export class Outcome {
  /** @param {Hooks} hooks */
  constructor(hooks) {
    this.hooks = hooks;
    this.problem = h("div", { class: "failure", role: "alert", hidden: true });
    this.warnings = h("ul", { class: "warnings", hidden: true });
    this.licence = h("p", { class: "licence", hidden: true });
    this.elements = [this.problem, this.warnings, this.licence];
  }

  clear() {
    show(this.problem, false);
  }

  /** @param {Job} job */
  draw(job) {
    const said = job.status === "failed" ? job.diagnosis?.[language] : undefined;
    show(this.problem, Boolean(said));
    if (said) this.drawFailure(job, said);
    const warnings = said ? [] : job.warnings[language]; // a failure tells them as what was tried
    show(this.warnings, warnings.length > 0);
    this.warnings.replaceChildren(...warnings.map((text) => h("li", {}, text)));
    const { licence } = job;
    show(this.licence, Boolean(licence?.powered_by || licence?.notice));
    this.licence.replaceChildren(licence?.powered_by ? h("b", {}, licence.powered_by) : "", " ", licence?.notice ?? "");
  }

  /** What happened, why, what was tried, what to do; and the buttons that do it. @param {Job} job @param {Said} said */
  drawFailure(job, said) {
    const text = `${language} ${job.id} ${said.error}`;
    if (this.problem.dataset.text === text) return;
    this.problem.dataset.text = text;
    const line = (/** @type {string} */ key, /** @type {string} */ words) => h("p", {}, h("b", {}, `${t(key)} `), words);
    this.problem.replaceChildren(
      h("h3", {}, said.title), line("why.cause", said.cause), said.tried.length ? line("why.tried", said.tried.join(" ")) : "", line("why.fix", said.fix),
      h("div", { class: "mend" }, recoveryActions(job, this.hooks), h("span", { class: "facts" }, said.code)),
      h("details", {}, h("summary", {}, t("job.details")), h("pre", {}, said.error)));
  }
}
