// @ts-check
// One job that runs or waits: only what changed is written, so that nothing jumps or loses its focus.

import { describe, progress, waiting as waitingWords } from "../job/job_words.js";
import { t } from "../lib/catalogue.js";
import { h, icon, ICONS, setText, show, single } from "../lib/dom.js";
import { selectBox } from "../lib/selection_bar.js";

/** @import { ActiveJob } from "../types.d.ts" */

/** What the row's buttons do. @typedef {{ move: (by: number) => unknown, cancel: () => unknown, select: (range: boolean) => void }} RowActs */

export class QueueRow {
  /** @param {ActiveJob} job @param {RowActs} acts */
  constructor(job, acts) {
    const act = (/** @type {string} */ name, /** @type {string} */ path, /** @type {(event: MouseEvent) => unknown} */ action) => h("button", { type: "button", class: "plain icon", data: { act: name }, title: t(`action.${name}`), "aria-label": `${t(`action.${name}`)}: ${job.name}`, onclick: action }, icon(path));
    this.place = h("span", { class: "place" });
    this.now = h("span", { class: "quiet" });
    this.fill = h("i");
    this.bar = h("div", { class: "bar" }, this.fill);
    this.top = act("top", ICONS.top, () => acts.move(-Infinity));
    this.up = act("up", ICONS.up, () => acts.move(-1));
    this.down = act("down", ICONS.down, () => acts.move(1));
    this.cancel = act("cancel", ICONS.close, single(acts.cancel));
    const link = { href: `./?job=${job.id}`, data: { go: "create", job: job.id } };
    this.element = h("li", { class: "job-row", data: { id: job.id } }, this.box = selectBox(acts.select, job.name), this.place,
      h("a", { class: "thumb", tabIndex: -1, "aria-hidden": true, ...link }, h("img", { src: `studio/jobs/${job.id}/poster`, alt: "", loading: "lazy" })),
      h("div", { class: "row-words" }, h("a", { class: "name", title: job.name, ...link }, job.name), h("span", { class: "facts" }, describe(job.settings, job.length)), this.bar, this.now),
      h("div", { class: "row-acts" }, this.top, this.up, this.down, this.cancel));
  }

  /** @param {ActiveJob} job @param {ActiveJob[]} waiting the whole line @param {boolean} paused @param {boolean} lost the program does not answer */
  draw(job, waiting, paused, lost) {
    const queued = job.status === "queued";
    this.element.draggable = queued;
    this.element.classList.toggle("running", !queued);
    setText(this.place, queued ? String(job.place) : "");
    show(this.bar, !queued);
    this.fill.style.transform = `scaleX(${job.fraction})`;
    setText(this.now, lost ? t("now.lost") : queued ? waitingWords(job, paused) : progress(job));
    const at = waiting.findIndex((other) => other.id === job.id);
    for (const button of [this.top, this.up, this.down]) show(button, queued);
    this.top.disabled = this.up.disabled = at <= 0;
    this.down.disabled = at === waiting.length - 1;
    this.cancel.disabled = job.cancelling;
  }
}
