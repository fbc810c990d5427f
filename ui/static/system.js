// The machine: workers, models with their downloads, disk, versions, and a report for whoever asks for help.

import { copyText, h, icon, ICONS, setText, show, toast } from "./dom.js";
import { bytes, duration, has, language, t, when } from "./i18n.js";
import { Gauge } from "./gauge.js";
import { crashWords, restartWorker } from "./mend.js";
import { call } from "./net.js";

const LOOK_MS = 2000;

export class SystemView {
  /** hooks: models(all of them), upscalers(likewise) */
  constructor(hooks) {
    this.hooks = hooks;
    this.state = null;
    this.rows = new Map();
  }

  build(root, options) {
    this.owns = options.owns_machine;
    this.workers = h("div", { class: "rows" });
    this.models = h("div", { class: "rows" });
    this.upscalers = h("div", { class: "rows" });
    this.disk = h("dl", { class: "pairs" });
    this.versions = h("dl", { class: "pairs" });
    this.checks = h("div", { class: "checks" });
    this.tidy = h("button", { type: "button", class: "action", id: "clean", onclick: () => this.clean() }, icon(ICONS.trash), h("span"));
    this.look = h("button", { type: "button", class: "action", id: "doctor", onclick: () => this.examine(true) }, icon(ICONS.again), h("span"));
    this.titles = {};
    const card = (key, ...body) => h("section", { class: "card box" }, this.titles[key] = h("h2"), ...body);
    this.restart = h("button", { type: "button", class: "action", id: "restart", onclick: restartWorker }, icon(ICONS.again), h("span"));
    this.copy = h("button", { type: "button", class: "action", onclick: () => this.report() }, icon(ICONS.copy), h("span"));
    this.own = this.ownFolder();
    root.append(h("div", { class: "boxes" },
      card("workers", this.workers, this.restart), card("models", this.models, this.own.element), card("upscalers", this.upscalers),
      card("doctor", this.checks, this.look), card("disk", this.disk, this.tidy), card("versions", this.versions, this.copy)));
    document.addEventListener("language", () => this.label());
    this.label();
  }

  label() {
    for (const [key, title] of Object.entries(this.titles)) setText(title, t(`system.${key}`));
    setText(this.restart.querySelector("span"), t("system.restart"));
    setText(this.copy.querySelector("span"), t("system.report"));
    setText(this.look.querySelector("span"), t("system.examine"));
    setText(this.tidy.querySelector("span"), t("system.clean"));
    setText(this.own.title, t("system.folder"));
    setText(this.own.label, t("system.folder_help"));
    setText(this.own.button.querySelector("span"), t("system.folder_use"));
    if (this.found) this.examine();
    if (this.state) this.draw();
  }

  /** A model that lies on this computer already: its folder is named, nothing is copied. */
  ownFolder() {
    const input = h("input", { id: "own-folder", type: "text", maxLength: 4096, autocomplete: "off", spellcheck: false });
    const title = h("summary");
    const label = h("label", { htmlFor: "own-folder" });
    const button = h("button", { type: "submit", class: "action" }, icon(ICONS.check), h("span"));
    const problem = h("p", { class: "problem", role: "alert", hidden: true });
    const use = async (event) => {
      event.preventDefault();
      show(problem, false);
      try {
        const { name, models } = await call("/studio/models", { method: "POST", body: { folder: input.value.trim() } });
        input.value = "";
        this.tell({ models });
        toast(t("system.folder_used", { name }));
      } catch (refusal) {
        setText(problem, refusal.message);
        show(problem, true);
      }
    };
    const form = h("form", { class: "own-folder", onsubmit: use }, label, h("div", {}, input, button), problem);
    return { element: h("details", { hidden: !this.owns }, title, form), title, label, button };
  }

  /** The models and upscalers as the server has just told them. */
  tell(now) {
    Object.assign(this.state, now);
    this.draw();
  }

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
      this.state = await call("/studio/system");
      this.draw();
    } catch {
      // the banner says that the connection is lost
    }
  }

  draw() {
    const { workers, models, upscalers, disk, versions, system } = this.state;
    show(this.restart, this.owns && workers.some((worker) => worker.alive));
    this.drawWorkers(workers);
    this.fill(this.models, models, (model) => this.model(model), "");
    this.fill(this.upscalers, upscalers, (one) => this.model(one), "");
    this.hooks.models(models);
    this.hooks.upscalers(upscalers);
    this.pairs(this.disk, [[t("system.disk_jobs"), bytes(disk.jobs)], [t("system.disk_models"), bytes(disk.models)], [t("system.disk_free"), bytes(disk.free)]]);
    this.pairs(this.versions, [...Object.entries(versions), [t("system.system"), system]]);
  }

  /** One row a worker, kept while it is told: its graph goes on. */
  drawWorkers(workers) {
    for (const id of this.rows.keys()) if (!workers.some((worker) => worker.id === id)) this.rows.delete(id);
    const rows = workers.map((worker) => {
      let row = this.rows.get(worker.id);
      if (!row) {
        const parts = { name: h("b"), now: h("span", { class: "quiet" }), facts: h("span", { class: "facts" }), why: h("span", { class: "why" }), gauge: new Gauge() };
        row = h("div", { class: "worker-row row-words" }, parts.name, parts.now, parts.facts, parts.why, parts.gauge.element);
        row.parts = parts;
        this.rows.set(worker.id, row);
      }
      const { name, now, facts, why, gauge } = row.parts;
      setText(name, `${t(`worker.${worker.alive || worker.state === "crashed" ? worker.state : "stopped"}`)}${worker.device ? ` · ${worker.device}` : ""}`);
      setText(now, worker.alive && has(`now.${worker.stage}`) ? t(`now.${worker.stage}`) : "");
      show(now, now.textContent !== "");
      const beat = worker.alive && worker.heartbeat_age !== undefined ? t("system.heartbeat", { time: duration(worker.heartbeat_age) }) : "";
      setText(facts, [t("system.worker_facts", { pid: worker.pid, host: worker.host, started: when(worker.started) }), beat].filter(Boolean).join(" · "));
      setText(why, worker.restarts > 0 ? crashWords(worker) : "");
      show(why, worker.restarts > 0);
      gauge.set(worker.samples ?? []);
      show(gauge.element, worker.alive);
      return row;
    });
    if (rows.length) rows.forEach((row, at) => this.workers.children[at] !== row && this.workers.insertBefore(row, this.workers.children[at] ?? null));
    else setText(this.workers, t("worker.none"));
    while (this.workers.childElementCount > rows.length) this.workers.lastElementChild.remove();
  }

  /** Written anew only when something has changed, so that focus and pointer keep what they are on. */
  fill(box, items, row, otherwise) {
    const text = JSON.stringify(items) + document.documentElement.lang;
    if (box.dataset.text === text) return;
    box.dataset.text = text;
    box.replaceChildren(...(items.length ? items.map((item) => h("div", { class: "job-row" }, ...row(item))) : [otherwise]));
  }

  pairs(list, pairs) {
    list.replaceChildren(...pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  }

  model(model) {
    const { download } = model;
    const running = download && ["starting", "running"].includes(download.status);
    const drawn = model.frames ? [`${model.width} × ${model.height}`, t("form.frames", { n: model.frames })] : [];
    const facts = [...drawn, model.bytes || model.download_gb ? bytes(model.bytes || model.download_gb * 1e9) : ""];
    const words = h("div", { class: "row-words" }, h("b", {}, model.label), h("span", { class: "facts" }, facts.filter(Boolean).join(" · ")));
    words.append(h("span", { class: "quiet" }, model.random ? t("model.random") : model.summary[language]));
    if (running) {
      const fill = h("i");
      fill.style.transform = `scaleX(${download.total ? download.done / download.total : 0})`;
      words.append(h("div", { class: "bar" }, fill), h("span", { class: "facts" }, this.speed(download)));
    } else if (download?.status === "failed") {
      words.append(...this.broken(download));
    } else if (download?.status === "interrupted") {
      words.append(h("span", { class: "why" }, t("system.interrupted")));
    }
    if (model.check) words.append(...this.checked(model.check));
    const acts = h("div", { class: "row-acts" });
    const button = (act, path) => h("button", { type: "button", class: "action", data: { act }, onclick: () => this.change(model.name, act) }, icon(path), h("span", {}, t(`system.${act}`)));
    if (this.owns && model.source === "folder") acts.append(button("forget", ICONS.close));
    if (this.owns && model.source === "hub") {
      if (running || model.check?.status === "running") acts.append(button("stop", ICONS.close));
      else if (model.state !== "ready" || model.check?.damaged.length) acts.append(button("download", ICONS.download));
      else acts.append(button("check", ICONS.check), button("remove", ICONS.trash));
    }
    if (model.state === "ready") acts.prepend(h("span", { class: "here" }, t(model.source === "hub" ? "system.here" : "system.ready")));
    return [words, acts];
  }

  /** What the check of a model's files says: how far it is, or what it has found. */
  checked({ status, done, total, damaged, error }) {
    if (status === "running") {
      const fill = h("i");
      fill.style.transform = `scaleX(${total ? done / total : 0})`;
      return [h("div", { class: "bar" }, fill), h("span", { class: "facts" }, `${t("system.checking")} ${bytes(done)} / ${bytes(total)}`)];
    }
    if (status === "failed") return [h("span", { class: "why" }, error)];
    if (status !== "done") return [];
    return [damaged.length ? h("span", { class: "why" }, t("system.damaged", { files: damaged.join(", ") })) : h("span", { class: "here" }, t("system.whole"))];
  }

  /** A download that failed: what happened, why, what to do. */
  broken({ fault, error, page }) {
    const link = page ? h("a", { href: page, target: "_blank", rel: "noopener" }, page) : "";
    if (!fault) return [h("span", { class: "why" }, error), link];
    const { code, title, cause, fix } = fault[language];
    return [h("span", { class: "why" }, h("b", {}, title), " ", cause), h("span", {}, h("b", {}, t("check.fix")), " ", fix), link, h("span", { class: "facts" }, code)];
  }

  speed(download) {
    const parts = [`${bytes(download.done)} / ${bytes(download.total)}`];
    if (download.speed) parts.push(t("system.speed", { speed: bytes(download.speed) }));
    if (download.seconds_left !== null) parts.push(t("now.left", { time: duration(download.seconds_left) }));
    return download.message || parts.join(" · ");
  }

  async change(name, act) {
    if (act === "remove" && !confirm(t("system.remove_sure", { name }))) return;
    const way = act === "forget" ? "remove" : act; // the files of a folder of one's own stay
    try {
      this.tell(await call(`/studio/models/${encodeURIComponent(name)}/${way}`, { method: "POST" }));
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  }

  /** The doctor's checks, with the way out where something is wrong. */
  async examine(fresh = false) {
    this.look.setAttribute("aria-busy", "true");
    try {
      this.found = await call(`/studio/doctor?${new URLSearchParams({ language, fresh })}`);
    } catch (refusal) {
      if (fresh) toast(refusal.message, "error"); // otherwise the banner says what is wrong
      return;
    } finally {
      this.look.removeAttribute("aria-busy");
    }
    this.checks.replaceChildren(...this.found.checks.map((check) => h("div", { class: `check-row ${check.result}` },
      h("i", { "aria-hidden": true }), h("div", { class: "row-words" },
        h("span", {}, h("b", {}, check.name), h("span", { class: "unseen" }, ` (${t(`check.${check.result}`)})`), " ", check.detail),
        check.code ? h("span", {}, check.cause) : "", check.code ? h("span", {}, h("b", {}, t("check.fix")), " ", check.fix) : "",
        check.code ? h("span", { class: "facts" }, check.code) : ""))));
  }

  /** Failed and cancelled jobs keep photo and checkpoints until somebody says so. */
  async clean() {
    if (!confirm(t("system.clean_sure"))) return;
    try {
      const { deleted } = await call("/studio/jobs/clean", { method: "POST" });
      toast(t("system.cleaned", { n: deleted }));
      await this.load();
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  }

  /** What helps whoever is asked for help; no names, no photos, no paths. */
  async report() {
    const text = `${this.state.report}\n${navigator.userAgent}`;
    if (await copyText(text)) toast(t("system.copied"));
    else toast(t("log.not_copied"), "error");
  }
}
