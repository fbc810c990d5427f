// @ts-check
// "Save as…": the video in another form. Format, part, loop; then a file to download, to share, or to copy.

import { t } from "../lib/catalogue.js";
import { h, icon, ICONS, setText, show, toast } from "../lib/dom.js";
import { bytes, number } from "../lib/format.js";
import { call } from "../lib/net.js";
import { recall, remember } from "../lib/storage.js";
import { asFile, download, make, shares } from "./making.js";
import { exportOf, frameAt, isStill, timeOf } from "./moments.js";
import { Trim } from "./trim.js";

/** @import { Export, FinishedJob, Job } from "../types.d.ts" */

const FORMATS = ["mp4", "web", "webm", "gif", "webp", "png", "jpg"];

export class SavePanel {
  /** @param {HTMLVideoElement} video the player's */
  constructor(video) {
    this.video = video;
    /** @type {FinishedJob | null} */
    this.job = null;
    /** @type {AbortController | null} */
    this.making = null;
    /** @type {Export | null} */
    this.made = null; // of what is chosen
    this.choice = 0; // how often something else was chosen
    this.format = recall("save", "gif");
    this.trim = new Trim((frame) => this.look(frame));
    this.choices = FORMATS.map((name) => ({ name, words: h("b"), input: h("input", { type: "radio", name: "save-format", value: name, onchange: () => this.choose(name) }) }));
    this.legend = h("legend");
    this.hint = h("p", { class: "help" });
    this.pingPong = h("input", { type: "checkbox", onchange: () => this.forget() });
    this.pingPongWords = h("span");
    this.loop = h("label", { class: "check" }, this.pingPong, this.pingPongWords);
    this.frame = h("p", { class: "help" });
    this.go = this.button("save", ICONS.download, "action strong", () => this.save());
    this.copy = this.button("copy", ICONS.copy, "action", () => this.copyStill());
    this.stop = this.button("stop", ICONS.close, "action", () => this.making?.abort());
    this.share = this.button("share", ICONS.share, "action", () => this.pass());
    this.bar = h("progress", { max: 1, value: 0, hidden: true });
    this.said = h("p", { class: "save-said", role: "status" });
    this.percent = h("span", { class: "save-percent", "aria-hidden": true }); // the bar tells it to screen readers, when they ask
    this.element = h("section", { class: "save-panel", hidden: true },
      h("fieldset", { class: "segments formats" }, this.legend, h("div", { class: "row" }, this.choices.map(({ input, words }) => h("label", {}, input, h("span", {}, words))))),
      this.hint, this.trim.element, this.loop, this.frame,
      h("div", { class: "save-row" }, this.go, this.copy, this.share, this.stop, this.bar, this.percent, this.said));
    for (const event of ["timeupdate", "seeked"]) video.addEventListener(event, () => this.played());
  }

  /** @param {string} name @param {string} path @param {string} kind @param {() => unknown} act */
  button(name, path, kind, act) {
    return h("button", { type: "button", class: kind, data: { save: name }, onclick: act }, icon(path), h("span"));
  }

  get open() {
    return !this.element.hidden;
  }

  /** Another job, or none, is shown. @param {Job | null} job */
  turn(job) {
    this.making = null; // what is made goes on, and is there when it is asked for again
    this.job = job?.video && job.finished ? /** @type {FinishedJob} */ (job) : null;
    show(this.element, false);
    this.forget();
    if (this.job) this.trim.reset(this.job.video);
  }

  toggle() {
    if (!this.job) return;
    show(this.element, !this.open);
    this.draw();
    if (this.open) this.offer();
  }

  /** Only what this machine's ffmpeg can write. */
  async offer() {
    const { formats } = await call("studio/exports").catch(() => ({ formats: FORMATS }));
    for (const { name, input } of this.choices) if (input.parentElement) show(input.parentElement, formats.includes(name));
    if (!formats.includes(this.format)) this.choose(formats[0]);
  }

  /** @param {string} format */
  choose(format) {
    this.format = format;
    remember("save", format);
    this.forget();
  }

  /** What was made is not what is chosen now. */
  forget() {
    this.choice += 1;
    this.made = null;
    setText(this.said, "");
    this.said.classList.remove("problem");
    this.draw();
  }

  draw() {
    const still = isStill(this.format);
    setText(this.legend, t("save.format"));
    for (const { name, words, input } of this.choices) {
      setText(words, t(`save.${name}`));
      input.checked = name === this.format;
    }
    setText(this.hint, t(`save.hint_${this.format}`));
    setText(this.pingPongWords, t("save.ping_pong"));
    show(this.trim.element, !still);
    show(this.loop, !still);
    show(this.frame, still);
    this.trim.draw();
    this.played();
    const busy = this.making !== null;
    for (const [button, visible] of /** @type {[HTMLElement, boolean][]} */ ([[this.go, !busy], [this.copy, still && !busy], [this.share, Boolean(this.made) && !busy && shares()], [this.stop, busy], [this.bar, busy], [this.percent, busy]])) show(button, visible);
    for (const button of [this.go, this.copy, this.share, this.stop]) setText(/** @type {Element} */ (button.lastElementChild), t(`save.${button.dataset.save}`));
    this.element.setAttribute("aria-label", t("action.save"));
    this.bar.setAttribute("aria-label", t("save.making"));
  }

  /** The frame that the player shows. */
  get shown() {
    return this.job ? frameAt(this.video.currentTime, this.job.video) : 0;
  }

  /** While it is open, the player repeats the part that is kept; for a still it tells the frame. */
  played() {
    if (!this.open || !this.job) return;
    const { frames } = this.job.video;
    if (isStill(this.format)) {
      const words = t("save.frame", { frame: this.shown + 1, frames });
      if (this.made && this.frame.textContent !== words) this.forget();
      setText(this.frame, words);
    } else if (!this.video.paused && this.trim.cuts && (this.shown >= this.trim.part.end || this.shown < this.trim.part.start)) {
      this.video.currentTime = timeOf(this.trim.part.start, this.job.video);
    }
  }

  /** An end of the part is moved: look at it. @param {number} frame */
  look(frame) {
    if (!this.job) return;
    this.video.pause();
    this.video.currentTime = timeOf(frame, this.job.video);
    this.forget();
  }

  /** The file, made or found; null where it was stopped or failed, which is said. @param {string} [format] */
  async file(format = this.format) {
    const { job } = this;
    if (!job || this.making) return null;
    const making = (this.making = new AbortController());
    this.forget();
    try {
      const made = await make(job.id, exportOf(format, this.trim.part, this.pingPong.checked, this.shown), (state) => this.progress(state, making), making.signal);
      if (this.making !== making) return null; // one has turned to another job meanwhile
      if (!made) setText(this.said, t("save.stopped"));
      return made;
    } catch (refusal) {
      if (this.making !== making) return null;
      setText(this.said, refusal.message);
      this.said.classList.add("problem");
      return null;
    } finally {
      if (this.making === making) this.making = null;
      this.draw();
    }
  }

  /** @param {Export} state @param {AbortController} making */
  progress({ state, fraction }, making) {
    if (this.making !== making) return;
    this.bar.value = fraction;
    setText(this.percent, state === "waiting" ? "" : `${number(100 * fraction)} %`);
    setText(this.said, state === "waiting" ? t("save.waiting") : "");
  }

  async save() {
    const file = this.file();
    const { choice } = this;
    const made = await file;
    if (!made) return;
    if (choice === this.choice) {
      this.made = made;
      setText(this.said, t("save.done", { size: bytes(made.bytes) }));
      this.draw();
    }
    download(made.download);
  }

  /** Browsers want to hear of it at the click, and get the picture when it is there. */
  async copyStill() {
    const picture = this.file("png").then(async (made) => {
      if (!made) throw new Error("there is no picture");
      return (await fetch(made.url)).blob();
    });
    picture.catch(() => {});
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
      toast(t("save.copied"));
    } catch {
      if (await picture.catch(() => null)) toast(t("save.not_copied"), "error");
    }
  }

  async pass() {
    if (!this.made || !this.job) return;
    try {
      const file = await asFile(this.made, this.job.name);
      if (shares(file)) await navigator.share({ files: [file] });
      else toast(t("save.not_shared"), "error");
    } catch (refusal) {
      if (refusal.name !== "AbortError") toast(t("save.not_shared"), "error"); // that one was closed by its user
    }
  }
}
