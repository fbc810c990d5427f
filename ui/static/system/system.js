// @ts-check
// The machine: workers, models with their downloads, disk, versions, and a report for a question to the developers.

import { restartWorker } from "../job/recovery.js";
import { language, t } from "../lib/catalogue.js";
import { copyText } from "../lib/clipboard.js";
import { arrange, childrenOf, find, focusOn, h, icon, ICONS, once, setText, shorten, show, toast } from "../lib/dom.js";
import { costOf, firstVideo } from "../lib/expected.js";
import { bytes, duration, number } from "../lib/format.js";
import { call } from "../lib/net.js";
import { modelRow } from "./model_row.js";
import { OwnFolder } from "./own_folder.js";
import { WorkerRows } from "./worker_rows.js";

/** @import { Act } from "./model_row.js" */
/** @import { AnyModel, Doctor, DoctorCheck, Hooks, Model, ModelCost, Options, System } from "../types.d.ts" */

const LOOK_MS = 2000;

export class SystemView {
  /** @param {HTMLElement} root @param {Options} options @param {Hooks} hooks */
  constructor(root, options, hooks) {
    this.root = root;
    this.hooks = hooks;
    this.options = options;
    this.owns = options.owns_machine;
    /** @type {System | null} */
    this.state = null;
    /** @type {Doctor | null} */
    this.found = null;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.asked = 0; // questions for the state
    this.answered = 0; // the latest of them whose answer is drawn
    this.waits = false; // for an answer: on a slow line the next question does not join it
    /** @type {Record<string, ModelCost | null>} */
    this.costs = {}; // of a first video with each model; null: not known
    this.wanted = ""; // the model whose button is looked for
    /** @type {WeakMap<HTMLElement, string>} */
    this.drawn = new WeakMap(); // what the row of a model shows
    this.workers = new WorkerRows();
    this.models = h("div", { class: "rows" });
    this.upscalers = h("div", { class: "rows" });
    this.disk = h("dl", { class: "pairs" });
    this.versions = h("dl", { class: "pairs" });
    this.checks = h("div", { class: "checks" });
    this.tidy = h("button", { type: "button", class: "action", id: "clean", onclick: once(() => this.clean()) }, icon(ICONS.trash), h("span"));
    this.look = h("button", { type: "button", class: "action", id: "doctor", onclick: () => this.examine(true) }, icon(ICONS.again), h("span"));
    this.restart = h("button", { type: "button", class: "action", id: "restart", onclick: once(restartWorker) }, icon(ICONS.again), h("span"));
    this.copy = h("button", { type: "button", class: "action", onclick: () => this.report() }, icon(ICONS.copy), h("span"));
    this.own = new OwnFolder(this.owns, (models) => this.tell({ models }));
    /** @type {Record<string, HTMLElement>} */
    this.titles = {};
    const card = (/** @type {string} */ key, /** @type {HTMLElement[]} */ ...body) => h("section", { class: "card box" }, this.titles[key] = h("h2"), ...body);
    root.append(h("div", { class: "boxes" },
      h("div", {}, card("models", this.models, this.own.element), card("upscalers", this.upscalers)),
      h("div", {}, card("workers", this.workers.element, this.restart), card("disk", this.disk, this.tidy), card("versions", this.versions, this.copy)),
      h("div", {}, card("doctor", this.look, this.checks)))); // the last: its checks come after the rest, and move nothing
    document.addEventListener("language", () => this.label());
    this.label();
  }

  label() {
    for (const [key, title] of Object.entries(this.titles)) setText(title, t(`system.${key}`));
    setText(find(this.copy, "span"), t("system.report"));
    setText(find(this.look, "span"), t("system.examine"));
    setText(find(this.tidy, "span"), t("system.clean"));
    this.own.label();
    if (this.found) this.examine();
    if (this.state) this.draw(this.state);
  }

  /** The models and upscalers as the server has just told them. @param {Partial<System>} now */
  async tell(now) {
    this.answered = this.asked += 1; // what is on its way was told before
    if (!this.state) return;
    Object.assign(this.state, now);
    await this.draw(this.state);
  }

  /** @param {boolean} yes */
  shown(yes) {
    clearInterval(this.timer);
    if (!yes) return;
    this.load();
    show(this.look, this.owns);
    if (this.owns) this.examine();
    this.timer = setInterval(() => document.hidden || this.waits || this.load(), LOOK_MS);
  }

  async load() {
    const asked = (this.asked += 1);
    this.waits = true;
    try {
      /** @type {System} */
      const state = await call("studio/system").finally(() => (this.waits = false));
      if (asked < this.answered) return;
      this.answered = asked;
      this.state = state;
      await this.draw(this.state);
      this.root.classList.remove("filling");
      this.goToWanted();
    } catch {
      // the banner says that the connection is lost
    }
  }

  /** Draw it; the times of the models come last. @param {System} state */
  async draw({ workers, models, upscalers, disk, versions, system }) {
    const living = workers.filter((worker) => worker.alive).length;
    show(this.restart, this.owns && living > 0);
    setText(find(this.restart, "span"), t(living > 1 ? "system.restart_all" : "system.restart"));
    this.workers.draw(workers);
    this.drawModels(this.models, models);
    const costs = this.askCosts(models);
    this.drawModels(this.upscalers, upscalers);
    this.hooks.models(models);
    this.hooks.upscalers(upscalers);
    pairs(this.disk, [[t("system.disk_jobs"), bytes(disk.jobs)], [t("system.disk_models"), bytes(disk.models)], [t("system.disk_free"), bytes(disk.free)]]);
    pairs(this.versions, [...Object.entries(versions), [t("system.system"), system]]);
    await costs;
  }

  /** A row is written anew only when its own model has changed: what is read or selected in the others stays. @param {HTMLElement} box @param {AnyModel[]} models */
  drawModels(box, models) {
    const rows = new Map(childrenOf(box).map((row) => [row.dataset.model, row]));
    arrange(box, models.map((model) => {
      const row = rows.get(model.name) ?? h("div", { class: "job-row", data: { model: model.name } });
      this.drawModel(row, model);
      return row;
    }));
    shorten(box, models.length);
  }

  /** The focus goes on where it was: on the model's button. @param {HTMLElement} row @param {AnyModel} model */
  drawModel(row, model) {
    const about = { video: firstVideo(this.options), cost: this.costs[model.name] };
    const text = JSON.stringify([model, about.cost?.seconds, language]);
    if (this.drawn.get(row) === text) return;
    this.drawn.set(row, text);
    const focused = row.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
    row.replaceChildren(...modelRow(model, this.owns, about, (act) => this.change(model.name, act)));
    if (focused?.dataset.act) focusOn(/** @type {HTMLElement | null} */ (row.querySelector(`[data-act="${focused.dataset.act}"]`) ?? row.querySelector("button")));
  }

  /** Go to a model's button as soon as it is drawn. @param {string} name */
  point(name) {
    this.wanted = name;
  }

  goToWanted() {
    const row = this.wanted && this.models.querySelector(`[data-model="${CSS.escape(this.wanted)}"]`);
    if (!row || !row.checkVisibility()) return;
    this.wanted = "";
    row.scrollIntoView({ block: "center" });
    row.classList.add("pointed");
    setTimeout(() => row.classList.remove("pointed"), 4000);
    /** @type {HTMLElement | null} */ (row.querySelector("button"))?.focus();
  }

  /** How long a first video takes with each: what a download of gigabytes is decided by. @param {Model[]} models */
  async askCosts(models) {
    const unknown = models.filter(({ name }) => !(name in this.costs));
    if (!unknown.length) return;
    for (const { name } of unknown) this.costs[name] = null;
    await Promise.all(unknown.map(async (model) => (this.costs[model.name] = await costOf(model, firstVideo(this.options)))));
    if (this.state) this.drawModels(this.models, this.state.models);
  }

  /** On a processor gigabytes are not fetched before the time of a video has been read. @param {string} name of a model */
  async sure(name) {
    const model = this.state?.models.find((one) => one.name === name);
    if (!model || model.state !== "missing") return true;
    const video = firstVideo(this.options);
    const cost = await costOf(model, video);
    if (cost?.device !== "cpu") return true;
    return confirm(t("system.download_sure", { label: model.label, size: number(model.download_gb, 1), seconds: video.seconds, resolution: video.resolution, time: duration(cost.seconds) }));
  }

  /** @param {string} name of a model @param {Act} act */
  async change(name, act) {
    if (act === "remove" && !confirm(t("system.remove_sure", { name }))) return;
    if (act === "download" && !(await this.sure(name))) return;
    const way = act === "forget" ? "remove" : act; // the files of a folder of one's own stay
    try {
      await this.tell(await call(`studio/models/${encodeURIComponent(name)}/${way}`, { method: "POST" }));
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  }

  /** The doctor's checks, with the way out where something is wrong. @returns {Promise<void>} */
  async examine(fresh = false) {
    this.look.setAttribute("aria-busy", "true");
    const asked = language;
    try {
      this.found = /** @type {Doctor} */ (await call(`studio/doctor?${new URLSearchParams({ language, fresh: String(fresh) })}`));
    } catch (refusal) {
      if (fresh) toast(refusal.message, "error"); // otherwise the banner says what is wrong
      return;
    } finally {
      this.look.removeAttribute("aria-busy");
    }
    if (asked !== language) return this.examine(); // the same in the language that is shown by now
    this.checks.replaceChildren(...this.found.checks.map(checkRow));
  }

  /** Failed and cancelled jobs keep photo and checkpoints until somebody says so. */
  async clean() {
    if (!confirm(t("system.clean_sure"))) return;
    try {
      const { deleted } = await call("studio/jobs/clean", { method: "POST" });
      toast(t("system.cleaned", { n: deleted }));
      await this.load();
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  }

  /** What helps whoever is asked for help; no names, no photos, no paths. */
  async report() {
    if (!this.state) return;
    const text = `${this.state.report}\n${navigator.userAgent}`;
    await copyText(text, t("system.copied"));
  }
}

/** @param {HTMLElement} list @param {[string, string][]} items name and value each */
function pairs(list, items) {
  list.replaceChildren(...items.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** @param {DoctorCheck} check */
function checkRow(check) {
  const fault = check.code
    ? [h("span", {}, check.cause), h("span", {}, h("b", {}, t("check.fix")), " ", check.fix), h("span", { class: "facts" }, check.code)]
    : [];
  return h("div", { class: `check-row ${check.result}` },
    h("i", { "aria-hidden": true }), h("div", { class: "row-words" },
      h("span", {}, h("b", {}, check.name), h("span", { class: "unseen" }, ` (${t(`check.${check.result}`)})`), " ", check.detail), ...fault));
}
