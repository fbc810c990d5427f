// @ts-check
// What the form's choices cost on this machine: time and memory, and a warning where that is much.

import { language, t } from "../lib/catalogue.js";
import { h, setText, show } from "../lib/dom.js";
import { duration, memory } from "../lib/format.js";
import { call } from "../lib/net.js";

/** @import { Segments } from "./segments.js" */
/** @import { Cost, FormValues } from "../types.d.ts" */

const PAUSE_MS = 250; // after the last change
const AGAIN_MS = 2000; // after a question that was not answered

export class Costs {
  /** @param {() => void} arrived called when an answer is there; draw it */
  constructor(arrived) {
    this.arrived = arrived;
    /** @type {Record<string, Cost> | null} */
    this.known = null; // by resolution
    this.asked = this.query = "";
    this.texts = {};
    /** @type {number | undefined} */
    this.asking = undefined;
    this.why = h("p");
    this.warning = h("summary", { class: "warn" });
    this.fault = h("details", { class: "cost-line cost-fault", hidden: true }, this.warning, this.why);
    this.device = h("p", { class: "cost-line" });
    /** The device, or what is wrong with the choice: in one line. */
    this.elements = [this.device, this.fault];
  }

  /** Ask a moment after the last change. Whether there is nothing new to ask. @param {string} query `costQuery` @param {object} texts `costTexts` */
  ask(query, texts) {
    const wanted = `${query}\n${JSON.stringify(texts)}`;
    if (wanted === this.asked) return true;
    [this.asked, this.query, this.texts] = [wanted, query, texts];
    this.later(PAUSE_MS);
    return false;
  }

  /** Ask the same again: measurements and free memory are others by now. */
  renew() {
    if (this.asked) this.later(0);
  }

  /** @param {number} ms */
  later(ms) {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.look(this.asked), ms);
  }

  /** An answer to an earlier question is dropped, whether it is one or none. @param {string} wanted */
  async look(wanted) {
    try {
      const found = await call(`studio/estimate?${this.query}`, { method: "POST", body: this.texts });
      if (wanted !== this.asked) return;
      this.known = found;
      this.arrived();
    } catch (refusal) {
      if (wanted !== this.asked) return;
      if (refusal.status < 500 && refusal.status !== 0) this.asked = ""; // refused: without an estimate everything works all the same
      else this.later(AGAIN_MS);
    }
  }

  /** @param {Segments} resolutions @param {Segments} modes @param {FormValues} values @param {number} videos that Generate makes */
  draw(resolutions, modes, values, videos) {
    if (!this.known) return;
    for (const { costs: [time, room], item } of resolutions.choices) {
      const found = this.known[item.value];
      if (!found) continue;
      setText(time, t("form.takes", { time: duration(found.seconds) }));
      setText(room, t(found.device === "cpu" ? "form.memory" : "form.vram", { size: memory(found.memory) }));
      room.classList.toggle("warn", !found.fits);
    }
    const cost = this.known[values.resolution];
    if (!cost) return;
    for (const { costs: [time], item } of modes.choices) {
      if (item.value in cost.modes) setText(time, t("form.takes", { time: duration(cost.modes[item.value]) }));
    }
    const device = t(cost.device === "cpu" ? "form.on_cpu" : "form.on_gpu", { total: memory(cost.total) });
    // In its place, for the line has no room for both.
    setText(this.device, videos > 1 ? t("form.together", { n: videos, time: duration(videos * cost.seconds) }) : device);
    show(this.fault, Boolean(cost.fault)); // in the line of the device: nothing moves when it comes
    show(this.device, !cost.fault);
    if (!cost.fault) return;
    const { code, cause, fix } = cost.fault[language];
    setText(this.warning, cost.fits ? t("form.shrunk", { size: `${cost.width} × ${cost.height}` }) : t("form.tight"));
    setText(this.why, `${cause} ${fix}. (${code})`);
  }
}
