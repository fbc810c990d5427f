// @ts-check
// The workers in the System view, one row each, kept while the worker is told: its graph goes on.

import { Gauge } from "../job/gauge.js";
import { crashWords } from "../job/recovery.js";
import { has, t } from "../lib/catalogue.js";
import { arrange, h, setText, shorten, show } from "../lib/dom.js";
import { duration, when } from "../lib/format.js";

/** @import { Worker } from "../types.d.ts" */

/** What a worker is and, where it has one, its device. @param {Worker} worker */
export function workerName({ alive, state, device }) {
  return `${t(`worker.${alive || state === "crashed" ? state : "stopped"}`)}${device ? ` · ${device}` : ""}`;
}

/** @param {Worker} worker */
export function workerFacts({ alive, heartbeat_age, pid, host, started }) {
  const beat = alive && heartbeat_age !== undefined ? t("system.heartbeat", { time: duration(heartbeat_age) }) : "";
  return [t("system.worker_facts", { pid, host, started: when(started) }), beat].filter(Boolean).join(" · ");
}

class Row {
  constructor() {
    this.name = h("b");
    this.now = h("span", { class: "quiet" });
    this.facts = h("span", { class: "facts" });
    this.why = h("span", { class: "why" });
    this.gauge = new Gauge();
    this.element = h("div", { class: "worker-row row-words" }, this.name, this.now, this.facts, this.why, this.gauge.element);
  }

  /** @param {Worker} worker */
  draw(worker) {
    setText(this.name, workerName(worker));
    setText(this.now, worker.alive && has(`now.${worker.stage}`) ? t(`now.${worker.stage}`) : "");
    show(this.now, this.now.textContent !== "");
    setText(this.facts, workerFacts(worker));
    setText(this.why, worker.restarts > 0 ? crashWords(worker) : "");
    show(this.why, worker.restarts > 0);
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
