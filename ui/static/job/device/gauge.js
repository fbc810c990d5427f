// @ts-check
// How busy graphics card (or processor) and memory are, over a job's stages; and the word when a card idles.

import { language, t } from "../../lib/catalogue.js";
import { h, setText, show, svg } from "../../lib/dom.js";
import { memory, number } from "../../lib/format.js";
import { line, loadOf, memoryOf, scale, stretches } from "./graph.js";

/** @import { Event as JobEvent, Faults, Sample } from "../../types.d.ts" */

const WIDTH = 600;
const HEIGHT = 60;
const MOST = 700;

export class Gauge {
  constructor() {
    this.bands = svg("g", { class: "bands" });
    this.area = svg("path", { class: "load-area" });
    this.load = svg("path", { class: "load-line" });
    this.memory = svg("path", { class: "memory-line" });
    this.graph = svg("svg", { class: "graph", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, this.bands, this.area, this.load, this.memory);
    this.words = h("p", { class: "gauge-words" }, this.name = h("span", { class: "device" }), this.facts = h("span", { class: "values" }));
    this.fault = h("div", { class: "fault", role: "status", hidden: true });
    this.element = h("div", { class: "gauge", hidden: true }, h("div", { class: "gauge-head" }, this.words,
      h("span", { class: "legend" }, this.loadName = h("span", { class: "load-name" }), this.memoryName = h("span", { class: "memory-name" }))),
      this.graph, this.fault);
    /** @type {Faults | null} */
    this.said = null;
    this.last = 0;
    /** @type {Sample[]} */
    this.samples = [];
    this.clear();
  }

  clear() {
    this.said = null;
    this.last = 0;
    this.set([]);
    show(this.element, false);
    show(this.fault, false);
  }

  /** Keep the place while there is nothing to draw yet, so that nothing moves when there is. */
  reserve() {
    if (!this.element.hidden) return;
    this.label();
    show(this.element, true);
  }

  label() {
    setText(this.loadName, t("gauge.load"));
    setText(this.memoryName, t("gauge.memory"));
    if (this.samples.length) this.draw();
    else this.tell(t("gauge.later"), "");
    this.drawFault();
  }

  /** In order, of every kind; those already taken are skipped. @param {JobEvent[]} events */
  add(events) {
    let fresh = false;
    for (const event of events) {
      const [id, time] = event;
      if (id <= this.last) continue;
      this.last = id;
      if (event[2] === "fault") this.said = event[4];
      if (event[2] !== "watch") continue;
      this.samples.push({ time, ...JSON.parse(event[4]) });
      fresh = true;
    }
    this.samples.splice(0, this.samples.length - MOST);
    if (fresh) this.draw();
    this.drawFault();
  }

  /** All of them at once. @param {Sample[]} samples oldest first */
  set(samples) {
    this.samples = samples;
    for (const path of [this.area, this.load, this.memory]) path.setAttribute("d", "");
    this.bands.replaceChildren();
    this.label();
  }

  draw() {
    const { samples } = this;
    const last = samples[samples.length - 1];
    const x = scale(samples, WIDTH);
    const load = line(samples, x, loadOf, HEIGHT);
    this.load.setAttribute("d", load);
    this.area.setAttribute("d", `${load}L${x(last).toFixed(1)} ${HEIGHT}L0 ${HEIGHT}Z`);
    this.memory.setAttribute("d", line(samples, x, memoryOf, HEIGHT));
    this.drawBands(x);
    this.say(last);
    show(this.element, true);
  }

  /** One shaded band for every other stretch of one stage. @param {(sample: Sample) => number} x */
  drawBands(x) {
    this.bands.replaceChildren(...stretches(this.samples).filter((_, i) => i % 2).map(({ stage, begin, end }) => {
      const title = svg("title");
      title.textContent = t(stage ? `stage.${stage}` : "now.starting");
      return svg("rect", { x: x(begin).toFixed(1), y: 0, width: Math.max(1, x(end) - x(begin)).toFixed(1), height: HEIGHT }, title);
    }));
  }

  /** @param {Sample} sample */
  say({ device, name, load, used, total, temperature }) {
    const parts = [];
    if (load !== null) parts.push(`${number(load)} %`);
    if (total) parts.push(t("gauge.of", { used: memory(used), total: memory(total) }));
    if (temperature !== null) parts.push(`${number(temperature)} °C`);
    this.tell(`${t(`gauge.${device}`)}${name ? ` ${name}` : ""} ·`, parts.join(" · "));
  }

  /** @param {string} name of the device @param {string} facts */
  tell(name, facts) {
    setText(this.name, name);
    setText(this.facts, facts);
    this.graph.setAttribute("aria-label", `${name} ${facts}`.trim());
  }

  drawFault() {
    const said = this.said?.[language];
    show(this.fault, Boolean(said));
    if (!said || this.fault.dataset.text === said.title) return;
    this.fault.dataset.text = said.title;
    this.fault.replaceChildren(h("b", {}, said.title), h("p", {}, said.cause), h("p", {}, h("b", {}, t("why.fix")), " ", said.fix), h("span", { class: "facts" }, said.code));
  }
}
