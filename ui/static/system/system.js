// @ts-check
// The machine: workers, models with their downloads, disk, versions, and a report for whoever asks for help.

import { restartWorker } from "../job/recovery.js";
import { language, t } from "../lib/catalogue.js";
import { copyText, find, h, icon, ICONS, setText, show, toast } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { call } from "../lib/net.js";
import { modelRow } from "./model_row.js";
import { OwnFolder } from "./own_folder.js";
import { WorkerRows } from "./worker_rows.js";

/** @import { Act } from "./model_row.js" */
/** @import { AnyModel, Doctor, DoctorCheck, Hooks, Options, System } from "../types.d.ts" */

const LOOK_MS = 2000;

export class SystemView {
  /** @param {HTMLElement} root @param {Options} options @param {Hooks} hooks */
  constructor(root, options, hooks) {
    this.hooks = hooks;
    this.owns = options.owns_machine;
    /** @type {System | null} */
    this.state = null;
    /** @type {Doctor | null} */
    this.found = null;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.workers = new WorkerRows();
    this.models = h("div", { class: "rows" });
    this.upscalers = h("div", { class: "rows" });
    this.disk = h("dl", { class: "pairs" });
    this.versions = h("dl", { class: "pairs" });
    this.checks = h("div", { class: "checks" });
    this.tidy = h("button", { type: "button", class: "action", id: "clean", onclick: () => this.clean() }, icon(ICONS.trash), h("span"));
    this.look = h("button", { type: "button", class: "action", id: "doctor", onclick: () => this.examine(true) }, icon(ICONS.again), h("span"));
    this.restart = h("button", { type: "button", class: "action", id: "restart", onclick: restartWorker }, icon(ICONS.again), h("span"));
    this.copy = h("button", { type: "button", class: "action", onclick: () => this.report() }, icon(ICONS.copy), h("span"));
    this.own = new OwnFolder(this.owns, (models) => this.tell({ models }));
    /** @type {Record<string, HTMLElement>} */
    this.titles = {};
    const card = (/** @type {string} */ key, /** @type {HTMLElement[]} */ ...body) => h("section", { class: "card box" }, this.titles[key] = h("h2"), ...body);
    root.append(h("div", { class: "boxes" },
      card("workers", this.workers.element, this.restart), card("models", this.models, this.own.element), card("upscalers", this.upscalers),
      card("doctor", this.checks, this.look), card("disk", this.disk, this.tidy), card("versions", this.versions, this.copy)));
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
  tell(now) {
    if (!this.state) return;
    Object.assign(this.state, now);
    this.draw(this.state);
  }

  /** @param {boolean} yes */
  shown(yes) {
    clearInterval(this.timer);
    if (!yes) return;
    this.load();
    show(this.look, this.owns);
    if (this.owns) this.examine();
    this.timer = setInterval(() => document.hidden || this.load(), LOOK_MS);
  }

  async load() {
    try {
      this.state = /** @type {System} */ (await call("studio/system"));
      this.draw(this.state);
    } catch {
      // the banner says that the connection is lost
    }
  }

  /** @param {System} state */
  draw({ workers, models, upscalers, disk, versions, system }) {
    const living = workers.filter((worker) => worker.alive).length;
    show(this.restart, this.owns && living > 0);
    setText(find(this.restart, "span"), t(living > 1 ? "system.restart_all" : "system.restart"));
    this.workers.draw(workers);
    this.drawModels(this.models, models);
    this.drawModels(this.upscalers, upscalers);
    this.hooks.models(models);
    this.hooks.upscalers(upscalers);
    pairs(this.disk, [[t("system.disk_jobs"), bytes(disk.jobs)], [t("system.disk_models"), bytes(disk.models)], [t("system.disk_free"), bytes(disk.free)]]);
    pairs(this.versions, [...Object.entries(versions), [t("system.system"), system]]);
  }

  /** Written anew only when something has changed, so that focus and pointer keep what they are on. @param {HTMLElement} box @param {AnyModel[]} models */
  drawModels(box, models) {
    const text = JSON.stringify(models) + document.documentElement.lang;
    if (box.dataset.text === text) return;
    box.dataset.text = text;
    const change = (/** @type {AnyModel} */ model) => (/** @type {Act} */ act) => this.change(model.name, act);
    box.replaceChildren(...models.map((model) => h("div", { class: "job-row" }, ...modelRow(model, this.owns, change(model)))));
  }

  /** @param {string} name of a model @param {Act} act */
  async change(name, act) {
    if (act === "remove" && !confirm(t("system.remove_sure", { name }))) return;
    const way = act === "forget" ? "remove" : act; // the files of a folder of one's own stay
    try {
      this.tell(await call(`studio/models/${encodeURIComponent(name)}/${way}`, { method: "POST" }));
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  }

  /** The doctor's checks, with the way out where something is wrong. */
  async examine(fresh = false) {
    this.look.setAttribute("aria-busy", "true");
    try {
      this.found = /** @type {Doctor} */ (await call(`studio/doctor?${new URLSearchParams({ language, fresh: String(fresh) })}`));
    } catch (refusal) {
      if (fresh) toast(refusal.message, "error"); // otherwise the banner says what is wrong
      return;
    } finally {
      this.look.removeAttribute("aria-busy");
    }
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
    if (await copyText(text)) toast(t("system.copied"));
    else toast(t("log.not_copied"), "error");
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
