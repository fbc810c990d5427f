// @ts-check
// Two videos in step, side by side or under a dividing line, with what tells them apart.

import { apart, differing, pairTitle } from "../gallery/same_photo.js";
import { t } from "../lib/catalogue.js";
import { calm, h, icon, ICONS, setText, show, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { call } from "../lib/net.js";
import { recall, remember } from "../lib/storage.js";
import { InStep } from "./in_step.js";

/** @import { FinishedJob, Hooks, Options } from "../types.d.ts" */

/** @typedef {[string, string]} Pair */

export class Compare {
  /** @param {HTMLElement} root @param {Options} options @param {Hooks} hooks */
  constructor(root, options, hooks) {
    this.options = options;
    this.hooks = hooks;
    /** @type {Pair | null} */
    this.pair = null;
    /** @type {FinishedJob[]} */
    this.jobs = [];
    this.divides = recall("divides", false);
    this.sides = [this.side("a"), this.side("b")];
    this.steps = new InStep(this.sides[0].video, this.sides[1].video, () => this.drawTime());
    this.title = h("h2");
    this.buttons = {
      play: this.button("play", ICONS.play, () => this.steps.toggle()),
      swap: this.button("swap", ICONS.swap, () => this.swap()),
      divide: this.button("divide", ICONS.compare, () => this.divide()),
      close: this.button("close", ICONS.close, () => hooks.view("gallery")),
    };
    this.line = h("input", { type: "range", class: "divider", min: "0", max: "100", value: "50", step: "1", oninput: () => this.drawLine() });
    this.stage = h("div", { class: "pair" }, ...this.sides.map(({ element }) => element), this.line);
    this.scrub = h("input", { type: "range", class: "scrub", min: "0", step: "any", value: "0", oninput: () => {
      const to = Number(this.scrub.value); // pausing draws the moment that was shown
      this.steps.pause();
      this.steps.seek(to);
    } });
    this.time = h("span", { class: "time" }); // no output: that is read aloud at each frame
    const { play, swap, divide, close } = this.buttons;
    this.element = h("section", { class: "compare", tabIndex: -1, hidden: true }, h("div", { class: "list-head" }, this.title, h("div", { class: "actions" }, divide, swap, close)),
      this.stage, h("div", { class: "compare-controls" }, play, this.scrub, this.time));
    root.append(this.element);
    document.addEventListener("language", () => this.draw());
  }

  /** @param {string} name @param {string} path @param {() => unknown} act */
  button(name, path, act) {
    return h("button", { type: "button", class: "action", data: { compare: name }, onclick: act }, icon(path), h("span"));
  }

  /** @param {string} name */
  side(name) {
    const video = h("video", { muted: true, playsInline: true, preload: "auto" });
    video.muted = true;
    const words = h("figcaption");
    const said = h("p", { class: "unplayable", role: "alert", hidden: true });
    video.addEventListener("error", () => {
      if (!video.hasAttribute("src")) return;
      setText(said, t("job.video_unplayable"));
      show(said, true);
    });
    return { video, words, said, element: h("figure", { class: name }, video, said, words) };
  }

  /** Show these two, or none. @param {Pair | null} pair their jobs' ids */
  async turn(pair) {
    const same = pair && this.pair && pair[0] === this.pair[0] && pair[1] === this.pair[1];
    show(this.element, Boolean(pair));
    if (same) return;
    this.pair = pair;
    this.jobs = []; // until these are here
    this.element.classList.add("filling");
    this.steps.stop();
    if (!pair) return;
    try {
      const found = /** @type {FinishedJob[]} */ (await Promise.all(pair.map((id) => call(`studio/jobs/${encodeURIComponent(id)}`))));
      if (this.pair !== pair) return;
      if (found.some((job) => !job.video)) throw new Error(t("compare.no_video"));
      this.jobs = found;
      this.start();
    } catch (refusal) {
      if (this.pair !== pair) return;
      toast(refusal.message, "error");
      this.hooks.view("gallery", true); // the way back does not lead here again
    }
  }

  start() {
    this.steps.fps = Math.max(...this.jobs.map((job) => job.video.fps));
    for (const [at, { video, said }] of this.sides.entries()) {
      show(said, false);
      video.src = this.jobs[at].video.url;
      video.poster = this.jobs[at].video.still;
    }
    this.draw();
    this.element.classList.remove("filling");
    this.element.focus({ preventScroll: true });
    if (!calm()) this.steps.play();
  }

  swap() {
    if (!this.jobs.length) return;
    const { time, playing } = this.steps;
    this.jobs.reverse();
    this.hooks.compare(/** @type {Pair} */ (this.pair = /** @type {Pair} */ (this.jobs.map(({ id }) => id))), true);
    this.start();
    this.steps.seek(time);
    if (!playing) this.steps.pause();
  }

  divide() {
    this.divides = !this.divides;
    remember("divides", this.divides);
    this.draw();
  }

  draw() {
    if (!this.pair || !this.jobs.length) return;
    const [a, b] = this.jobs;
    setText(this.title, pairTitle(a, b));
    const keys = differing(this.jobs);
    for (const [at, { words, video }] of this.sides.entries()) {
      const text = apart(this.jobs[at], keys, this.options.settings) || t("compare.same");
      setText(words, text);
      video.setAttribute("aria-label", text);
    }
    this.stage.classList.toggle("divided", this.divides);
    const { width, height } = a.video;
    this.stage.style.setProperty("--shape", `${width} / ${height}`);
    this.stage.style.setProperty("--ratio", String(width / height));
    show(this.line, this.divides);
    this.line.setAttribute("aria-label", t("compare.line"));
    this.scrub.setAttribute("aria-label", t("compare.scrub"));
    this.buttons.divide.setAttribute("aria-pressed", String(this.divides));
    for (const name of /** @type {const} */ (["swap", "divide", "close"])) setText(/** @type {Element} */ (this.buttons[name].lastElementChild), t(`compare.${name}`));
    delete this.buttons.play.dataset.playing; // its words are in the other language
    this.drawLine();
    this.drawTime();
  }

  drawLine() {
    this.stage.style.setProperty("--line", `${this.line.value}%`);
  }

  drawTime() {
    const { time, length, playing } = this.steps;
    this.scrub.max = String(length);
    this.scrub.value = String(time);
    const seconds = (/** @type {number} */ value) => t("time.s", { s: number(value, 1) });
    setText(this.time, `${seconds(time)} / ${seconds(length)}`);
    this.scrub.setAttribute("aria-valuetext", seconds(time));
    if (this.buttons.play.dataset.playing === String(playing)) return;
    this.buttons.play.dataset.playing = String(playing);
    this.buttons.play.replaceChildren(icon(playing ? ICONS.pause : ICONS.play), h("span", {}, t(playing ? "compare.pause" : "compare.play")));
  }

  /** Whether the key was for it. @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key === " " && target.matches("button, a"))) return false;
    const onLine = target === this.line; // its arrows move the line
    /** @type {Record<string, () => unknown>} */
    const keys = {
      " ": () => this.steps.toggle(),
      ...(onLine ? {} : { ArrowLeft: () => this.steps.step(-1), ArrowRight: () => this.steps.step(1) }),
      KeyS: () => this.swap(), // by its place: on a Russian keyboard the same key has another letter
      KeyD: () => this.divide(),
      Escape: () => this.hooks.view("gallery"),
    };
    const act = keys[event.key] ?? keys[event.code];
    if (!act) return false;
    event.preventDefault();
    act();
    return true;
  }
}
