// @ts-check
// One job, live: stages, one bar for the whole, preview or video, log. Everything shown comes from the store.

import { language, t } from "../lib/catalogue.js";
import { childrenOf, find, focusOn, h, icon, ICONS, once, scrollIntoSight, setText, show, toast } from "../lib/dom.js";
import { call } from "../lib/net.js";
import { DemoNote } from "./demo_note.js";
import { favour } from "./favourite.js";
import { Ends } from "./ends.js";
import { Gauge } from "./device/gauge.js";
import { ended, remaining, sentence, stageIndex, stageName, STAGES, startsIn } from "./job_words.js";
import { Log } from "./log.js";
import { Outcome } from "./outcome.js";
import { Player } from "./player.js";
import { Recipe } from "./recipe.js";
import { anotherTake, goOnFrom, retry } from "./recovery.js";
import { SavePanel } from "../save/save_panel.js";
import { Welcome } from "./welcome.js";

/** @import { Event as JobEvent, Hooks, Job, Machine, Options } from "../types.d.ts" */

export class JobView {
  /** @param {HTMLElement} root @param {Hooks} hooks @param {Options} options */
  constructor(root, hooks, options) {
    this.root = root;
    this.options = options;
    this.hooks = hooks;
    this.paused = false;
    this.starts = ""; // when the job begins, in words
    this.lost = false; // the program does not answer
    /** @type {string | null | undefined} */
    this.id = undefined; // whose state may not be known yet; undefined: before the first turn
    /** @type {Job | null} */
    this.job = null;
    this.welcome = new Welcome(options);
    this.empty = this.welcome.element;
    this.player = new Player(() => this.job && this.drawActions(this.job));
    this.saving = new SavePanel(this.player.video);
    this.outcome = new Outcome(hooks);
    this.demo = new DemoNote(options);
    this.log = new Log();
    this.gauge = new Gauge();
    this.name = h("h2");
    this.recipe = new Recipe(hooks);
    this.ends = new Ends();
    this.stages = h("ol", { class: "stages" }, STAGES.map((stage) => h("li", { data: { stage } })));
    this.fill = h("i");
    this.bar = h("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
    this.now = h("span", { class: "now" });
    this.resume = h("button", { type: "button", class: "link", hidden: true, onclick: once(() => this.hooks.resume()) });
    this.left = h("span", { class: "left" });
    this.buttons = {
      cancel: this.button("cancel", ICONS.close, once(() => this.cancel())),
      download: h("a", { class: "action strong", data: { action: "download" } }, icon(ICONS.download), h("span")),
      again: this.button("again", ICONS.again, once(() => this.job && retry(this.job, this.hooks))),
      save: this.button("save", ICONS.save, () => this.toggleSave()),
      take: this.button("take", ICONS.plus, once(() => this.job && anotherTake(this.job, this.hooks))),
      longer: this.button("longer", ICONS.forward, once(() => this.job && goOnFrom(this.job, this.hooks))),
      redo: this.button("redo", ICONS.sliders, () => this.job && this.hooks.redo(this.job)),
      delete: this.button("delete", ICONS.trash, () => this.job && this.hooks.remove(this.job)),
    };
    this.star = h("span", { class: "star-place" });
    this.ready = h("summary");
    this.course = h("details", { class: "progress", open: true }, this.ready, h("div", { class: "course" }, this.stages, this.bar, h("div", { class: "line-now" }, this.now, this.resume, this.left), this.gauge.element));
    this.full = h("div", { class: "live", hidden: true },
      h("div", { class: "stage-box" }, this.player.element),
      h("div", { class: "head" }, h("div", { class: "what" }, this.name, this.recipe.element, this.ends.element), h("div", { class: "actions" }, Object.values(this.buttons).filter((button) => button !== this.buttons.delete), h("span", { class: "ends" }, this.star, this.buttons.delete))),
      this.demo.element,
      this.saving.element,
      this.course,
      this.player.unplayed, ...this.outcome.elements, this.log.element);
    this.root.append(this.empty, this.full);
    document.addEventListener("language", () => this.relabel());
  }

  /** @param {string} action @param {string} path @param {(event: MouseEvent) => unknown} act */
  button(action, path, act) {
    return h("button", { type: "button", class: "action", data: { action }, onclick: act }, icon(path), h("span"));
  }

  relabel() {
    this.welcome.label();
    this.log.label();
    this.gauge.label();
    this.saving.forget();
    if (this.job) this.draw(this.job);
  }

  /**
   * Turn to another job (null: none). The place is kept until its state is there.
   *
   * @param {string | null} id
   * @param {Job} [known] its state, where it is at hand; otherwise it comes with the stream
   */
  turn(id, known) {
    if (this.id === id) {
      if (known) this.update(known);
      return;
    }
    this.id = id;
    this.job = null;
    this.log.clear(id);
    this.gauge.clear();
    this.player.clear();
    this.saving.turn(null);
    this.outcome.clear();
    this.root.style.minHeight = id && this.root.offsetHeight ? `${this.root.offsetHeight}px` : "";
    delete this.root.dataset.status;
    show(this.empty, !id);
    show(this.full, false);
    if (known) this.update(known);
  }

  /** @param {Machine} state */
  machine({ paused, active }) {
    const waits = active.find(({ id, status }) => id === this.id && status === "queued");
    const starts = waits ? startsIn(waits) : "";
    if (paused === this.paused && starts === this.starts) return;
    this.paused = paused;
    this.starts = starts;
    if (this.job) this.drawProgress(this.job);
  }

  /** Whether the program answers. @param {boolean} yes */
  reached(yes) {
    if (yes !== this.lost) return;
    this.lost = !yes;
    if (this.job) this.drawProgress(this.job);
  }

  /** Log lines, samples of the graphics card, faults, in order. @param {JobEvent[]} events */
  happened(events) {
    this.log.add(events);
    this.gauge.add(events);
  }

  /** Take the newest state; older ones (a slow answer) are dropped. @param {Job} job */
  update(job) {
    if (job.id !== this.id || (this.job && job.revision < this.job.revision)) return;
    if (job.status === "deleted") {
      this.hooks.gone(t("job.deleted"));
      return;
    }
    const before = this.job;
    this.job = job;
    if (before?.status !== job.status) this.fold(job.status === "done");
    this.draw(job);
    this.hooks.changed(job, before);
  }

  /** @param {Job} job */
  draw(job) {
    show(this.empty, false);
    if (this.full.hidden) {
      show(this.full, true);
      this.root.style.minHeight = "";
      this.log.follow(); // its lines came while it was hidden and could not be scrolled
    }
    if (!ended(job)) this.gauge.reserve();
    this.root.dataset.status = job.status;
    setText(this.name, job.name);
    this.name.title = job.name; // it may be cut
    this.recipe.draw(job);
    this.ends.draw(job);
    this.drawProgress(job);
    this.player.draw(job);
    this.outcome.draw(job);
    this.demo.draw(job);
    this.drawActions(job);
  }

  /** How a video was made is of less interest than the video; it stays one click away. @param {boolean} yes */
  fold(yes) {
    this.course.open = !yes;
    this.log.fold(yes);
  }

  /** @param {Job} job */
  drawProgress(job) {
    const at = stageIndex(job);
    for (const [index, item] of childrenOf(this.stages).entries()) {
      const state = job.status === "done" || index < at ? "past" : index === at ? "now" : "";
      if (item.className !== state) item.className = state;
      if (index === at) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
      setText(item, stageName(STAGES[index], job, this.options));
    }
    const part = job.status === "done" ? 1 : job.fraction;
    this.fill.style.setProperty("transform", `scaleX(${part})`);
    this.bar.setAttribute("aria-valuenow", String(Math.round(100 * part)));
    this.bar.setAttribute("aria-label", t("job.progress"));
    const still = this.lost || (this.paused && job.status === "queued");
    this.bar.classList.toggle("waiting", !still && (job.status === "queued" || (job.status === "running" && job.fraction === 0)));
    const said = sentence(job, this.paused, this.lost);
    setText(this.now, said);
    setText(this.ready, said);
    show(this.ready, job.status === "done");
    setText(this.resume, t("queue.resume"));
    show(this.resume, job.status === "queued" && this.paused && !this.lost && this.options.owns_machine);
    setText(this.left, job.status === "queued" && !this.lost ? this.starts : remaining(job, this.lost));
  }

  /** @param {Job} job */
  drawActions(job) {
    const { cancel, download, save, again, take, longer, redo, delete: remove } = this.buttons;
    const final = ended(job);
    const focused = Object.values(this.buttons).find((button) => button === document.activeElement);
    show(cancel, !final);
    cancel.setAttribute("aria-disabled", String(job.cancelling)); // disabled it would lose the focus
    show(download, Boolean(job.video));
    if (job.video) download.href = job.video.download;
    const gone = Boolean(job.video) && this.player.refused === "job.video_gone";
    show(again, job.status === "cancelled" || gone); // a failure has its own buttons
    if (job.video && this.saving.job?.id !== job.id) this.saving.turn(job);
    show(save, job.status === "done" && !gone);
    save.setAttribute("aria-expanded", String(this.saving.open));
    show(take, job.status === "done" && !gone);
    show(longer, job.status === "done" && !gone);
    show(redo, !job.cancelling);
    show(remove, job.status === "done");
    show(this.star, job.status === "done");
    const star = `${job.id} ${job.favourite} ${language}`;
    if (this.star.dataset.shows !== star) this.star.replaceChildren(favour(job, "action star"));
    this.star.dataset.shows = star;
    for (const [name, button] of Object.entries(this.buttons)) setText(find(button, "span"), t(`action.${name}`));
    remove.title = t("action.delete");
    if (focused?.hidden) focusOn(Object.values(this.buttons).find((button) => !button.hidden));
  }

  toggleSave() {
    this.saving.toggle();
    this.buttons.save.setAttribute("aria-expanded", String(this.saving.open));
    if (this.saving.open) scrollIntoSight(this.saving.element, "nearest");
  }

  async cancel() {
    if (this.job?.cancelling) return;
    try {
      this.update(await call(`studio/jobs/${this.id}/cancel`, { method: "POST" }));
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  }
}
