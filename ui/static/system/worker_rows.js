// @ts-check
// The workers in the System view, one row each, kept while the worker is told: its graph goes on.

import { Gauge } from "../job/device/gauge.js";
import { crashWords } from "../job/recovery.js";
import { has, language, t } from "../lib/catalogue.js";
import { arrange, h, setText, shorten, show } from "../lib/dom.js";
import { duration, when } from "../lib/format.js";

/** @import { Worker } from "../types.d.ts" */

/** Characters of a GPU's UUID that tell it from the others. */
const SHOWN_OF_UUID = 12;

/** What a worker is and, where it has one, its device. @param {Worker} worker */
export function workerName({ alive, state, device }) {
  return `${t(`worker.${alive || state === "crashed" ? state : "stopped"}`)}${device ? ` · ${device[language]}` : ""}`;
}

/** @param {Worker} worker */
export function workerFacts({ alive, heartbeat_age, pid, host, started, gpu }) {
  const beat = alive && heartbeat_age !== undefined ? t("system.heartbeat", { time: duration(heartbeat_age) }) : "";
  const card = gpu.startsWith("GPU-") ? gpu.slice(0, SHOWN_OF_UUID) : "";
  return [t("system.worker_facts", { pid, host, started: when(started) }), beat, card].filter(Boolean).join(" · ");
}

/** Why it does not run, or how often it has died and when it did last. @param {Worker} worker */
export function troubleWords(worker) {
  if (worker.restarts > 0) return crashWords(worker);
  if (!worker.last_crash) return "";
  const { time, cause } = worker.last_crash;
  return [t("worker.crashes", { n: worker.crashes, when: when(time) }), cause[language]].filter(Boolean).join(" ");
}

class Row {
  constructor() {
    this.name = h("b");
    this.now = h("span", { class: "quiet" });
    this.job = h("a", { class: "quiet", data: { go: "create" } });
    this.facts = h("span", { class: "facts" });
    this.why = h("span", { class: "why" });
    this.gauge = new Gauge();
    this.element = h("div", { class: "worker-row row-words" }, this.name, this.now, this.job, this.facts, this.why, this.gauge.element);
  }

  /** @param {Worker} worker */
  draw(worker) {
    setText(this.name, workerName(worker));
    setText(this.now, worker.alive && has(`now.${worker.stage}`) ? t(`now.${worker.stage}`) : "");
    show(this.now, this.now.textContent !== "");
    this.job.href = `./?job=${worker.job}`;
    this.job.dataset.job = worker.job;
    setText(this.job, t("system.worker_job", { job: worker.job }));
    show(this.job, worker.alive && worker.job !== "");
    setText(this.facts, workerFacts(worker));
    setText(this.why, troubleWords(worker));
    this.why.className = worker.restarts > 0 ? "why" : "facts";
    show(this.why, this.why.textContent !== "");
    this.gauge.set(worker.samples ?? []);
    show(this.gauge.element, worker.alive);
  }
}

export class WorkerRows {
  constructor() {
    this.element = h("div", { class: "rows" });
    /** @type {Map<string, Row>} */
    this.rows = new Map();
  }

  /** @param {Worker[]} workers */
  draw(workers) {
    for (const id of this.rows.keys()) if (!workers.some((worker) => worker.id === id)) this.rows.delete(id);
    const rows = workers.map((worker) => {
      const row = this.rows.get(worker.id) ?? new Row();
      this.rows.set(worker.id, row);
      row.draw(worker);
      return row.element;
    });
    if (rows.length) arrange(this.element, rows);
    else setText(this.element, t("worker.none"));
    shorten(this.element, rows.length);
  }
}
