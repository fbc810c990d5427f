// @ts-check
// Which part of a video is kept: a line with a handle at each end; arrows move one by a frame.

import { t } from "../lib/catalogue.js";
import { h, setText } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { cut } from "./moments.js";

/** @import { Clip } from "../types.d.ts" */

export class Trim {
  /** @param {(frame: number) => void} moved called with the frame to look at, first or last of the part */
  constructor(moved) {
    this.moved = moved;
    /** @type {Clip} */
    this.clip = { width: 0, height: 0, frames: 1, fps: 1 };
    this.part = { start: 0, end: 1 };
    this.words = h("output");
    this.title = h("span");
    this.handles = { start: this.handle("start"), end: this.handle("end") };
    this.line = h("div", { class: "trim-line" }, h("i"), this.handles.start, this.handles.end);
    this.element = h("div", { class: "trim" }, h("p", { class: "trim-words" }, this.title, this.words), this.line);
  }

  /** @param {"start" | "end"} name */
  handle(name) {
    return h("input", { type: "range", min: "0", step: "1", class: name, oninput: () => {
      this.part = cut(this.part, name, Number(this.handles[name].value), this.clip.frames);
      this.draw();
      this.moved(name === "start" ? this.part.start : this.part.end - 1);
    } });
  }

  /** All of this video. @param {Clip} clip */
  reset(clip) {
    this.clip = clip;
    this.part = { start: 0, end: clip.frames };
    for (const handle of Object.values(this.handles)) handle.max = String(clip.frames);
    this.draw();
  }

  /** Whether something is cut off. */
  get cuts() {
    return this.part.start > 0 || this.part.end < this.clip.frames;
  }

  draw() {
    const { start, end } = this.part;
    const { frames, fps } = this.clip;
    this.handles.start.value = String(start);
    this.handles.end.value = String(end);
    this.handles.start.style.zIndex = start > frames / 2 ? "1" : ""; // where both are at the right end, it is the one that can move
    this.line.style.setProperty("--from", String(start / frames));
    this.line.style.setProperty("--to", String(end / frames));
    setText(this.title, t("save.part"));
    const seconds = (/** @type {number} */ at) => t("time.s", { s: number(at / fps, 2) });
    setText(this.words, `${seconds(start)} – ${seconds(end)} · ${t("form.frames", { n: end - start })}`);
    for (const [name, at] of /** @type {["start" | "end", number][]} */ ([["start", start], ["end", end]])) {
      this.handles[name].setAttribute("aria-label", t(`save.${name}`));
      this.handles[name].setAttribute("aria-valuetext", seconds(at));
    }
  }
}
