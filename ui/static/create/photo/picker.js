// @ts-check
// The photo picker: choose, drop or paste; the server normalises and shows it (browsers cannot show HEIC).

import { language, t } from "../../lib/catalogue.js";
import { find, focusOn, h, icon, ICONS, setText, show } from "../../lib/dom.js";
import { call, upload } from "../../lib/net.js";
import { recall, remember } from "../../lib/storage.js";
import { PhotoTiles } from "./photo_tiles.js";
import { PendingUploads } from "./pending_uploads.js";

/** @import { Photo, Settings } from "../../types.d.ts" */

/** key: under which they are remembered. drop, hint, choose, many: keys of what is said. @typedef {{ key: string, input: string, most: number, drop: string, choose: string, many: string, hint: string, sample: boolean }} Kind */

/**
 * @typedef {object} Listeners
 * @property {() => void} changed called when other photos are ready, and when they are drawn anew
 * @property {(values: Settings) => void} settings called with those of a video that was dropped
 * @property {(position: number | null) => void} moved called with where the cut is on the photos, 0..1; null: in the middle, for other photos were chosen
 */

/** @type {Kind} The photos that videos are made from. */
export const FIRST = { key: "photos", input: "photo-file", most: 50, drop: "photo.drop", choose: "photo.choose", many: "photo.too_many", hint: "photo.hint", sample: true };
/** @type {Kind} The picture that they end with. */
export const LAST = { key: "last_photo", input: "last-file", most: 1, drop: "photo.last", choose: "photo.last_choose", many: "photo.last_one", hint: "", sample: false };

const ACCEPT = "image/*,.heic,.heif,.avif,.tif,.tiff,.bmp";

/** @param {File} file */
function isVideo(file) {
  return file.type === "video/mp4" || file.name.toLowerCase().endsWith(".mp4");
}

export class PhotoPicker {
  /**
   * @param {Kind} kind
   * @param {HTMLElement} root
   * @param {HTMLElement} words where complaints and notes stand
   * @param {number} limit bytes of a photo
   * @param {Listeners} listeners
   */
  constructor(kind, root, words, limit, { changed, settings, moved }) {
    this.kind = kind;
    this.limit = limit;
    this.changed = changed;
    this.settings = settings;
    this.moved = moved;
    this.photos = recall(kind.key, /** @type {Photo[]} */ ([])).filter((photo) => photo?.id);
    this.uploads = new PendingUploads(() => this.drawUploads());
    this.adding = false;
    this.input = h("input", { type: "file", accept: ACCEPT, multiple: kind.most > 1, class: "unseen", id: kind.input, oncancel: () => (this.adding = false) });
    this.input.addEventListener("change", () => this.take([...(this.input.files ?? [])], this.adding));
    this.words = h("span", { class: "drop-words" });
    this.hint = h("span", { class: "drop-hint" });
    this.area = h("label", { class: "drop", htmlFor: kind.input }, icon(ICONS.photo), this.words, this.hint);
    this.sample = h("button", { type: "button", class: "link sample", onclick: () => this.takeSample() });
    this.tiles = new PhotoTiles(kind.most > 1, { choose: (add) => this.choose(add), remove: (photo) => this.remove(photo), move: moved });
    this.bar = h("i");
    this.progress = h("div", { class: "upload", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, hidden: true }, this.bar);
    this.cancel = h("button", { type: "button", class: "action cancel", hidden: true, onclick: () => this.uploads.giveUp() }, icon(ICONS.close), h("span"));
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.notes = h("ul", { class: "warnings", role: "status", hidden: true });
    this.box = h("div", { class: "picker" }, this.input, this.area, this.tiles.element, this.progress, this.cancel);
    root.append(this.box);
    words.append(this.sample, this.problem, this.notes);
    this.label();
    this.restore();
  }

  label() {
    setText(this.words, t(this.kind.drop));
    setText(this.hint, this.kind.hint && t(this.kind.hint, { mb: this.limit >> 20 }));
    setText(this.sample, t("photo.sample"));
    this.input.setAttribute("aria-label", t(this.kind.choose));
    this.progress.setAttribute("aria-label", t("photo.upload"));
    setText(find(this.cancel, "span"), t("photo.cancel"));
    this.draw();
  }

  /** The photos of the last visit are shown at once; those that the server has deleted since are removed here, too. */
  async restore() {
    const known = this.photos;
    const found = await Promise.all(known.map(({ id }) => call(`studio/photos/${encodeURIComponent(id)}`).catch((refusal) => (refusal.gone ? null : undefined))));
    const gone = known.filter((_, at) => found[at] === null);
    if (gone.length) this.set(this.photos.filter((photo) => !gone.includes(photo)));
  }

  /** Upload them. @param {File[]} files @param {boolean} [add] beside those that are there, else in their place */
  async take(files, add = false) {
    this.adding = false;
    this.input.value = "";
    const before = this.photos;
    const { most, many } = this.kind;
    await this.uploads.run(!add && !files.every(isVideo), async (signal) => {
      /** @type {Photo[]} */
      const ready = [];
      /** @type {string[]} */
      const problems = [];
      for (const [at, file] of files.slice(0, most).entries()) {
        try {
          const progress = (/** @type {number} */ part) => this.progressed((at + part) / files.length);
          if (isVideo(file)) {
            this.settings(await upload(file, progress, signal, "studio/settings")); // that one of our videos was made with
            continue;
          }
          if (file.size > this.limit) throw new Error(t("photo.too_large", { name: file.name, mb: this.limit >> 20 }));
          ready.push(await upload(file, progress, signal));
        } catch (error) {
          if (signal.aborted) return;
          problems.push(error.message);
        }
      }
      const meanwhile = this.photos.filter((photo) => !before.includes(photo)); // added during this upload
      const all = add ? [...this.photos, ...ready] : [...ready, ...meanwhile];
      if (files.length > most || all.length > most) problems.push(t(many, { most }));
      if (ready.length) this.set(all.slice(0, most));
      if (ready.length && !add && !files.some(isVideo)) this.moved(null);
      this.uploads.problems.push(...problems);
    });
  }

  async takeSample() {
    await this.fetch("studio/photos/sample");
    this.moved(null);
  }

  /** The photo of a job, in place of those that are there. @param {string} job its id @param {string} [which] "/last": the one that its video ends with */
  takeOf(job, which = "") {
    return this.fetch(`studio/photos/of/${job}${which}`);
  }

  /** @param {string} path of what the server takes as an upload */
  fetch(path) {
    return this.uploads.run(true, async (signal) => {
      try {
        this.set([await call(path, { method: "POST", signal })]);
      } catch (error) {
        if (!signal.aborted) this.uploads.problems.push(error.message);
      }
    });
  }

  /** @param {Photo[]} photos */
  set(photos) {
    this.photos = photos;
    remember(this.kind.key, photos);
    this.draw();
  }

  drawUploads() {
    const { any, problems } = this.uploads;
    this.progressed(0);
    show(this.progress, any);
    show(this.cancel, any);
    this.complain(problems.join("\n"));
  }

  /** @param {number} part 0..1 */
  progressed(part) {
    this.bar.style.setProperty("width", `${100 * part}%`);
    this.progress.setAttribute("aria-valuenow", String(Math.round(100 * part)));
  }

  /** What was refused is of no interest any more. */
  forgive() {
    this.uploads.problems = [];
    this.complain("");
  }

  /** @param {string} text */
  complain(text) {
    setText(this.problem, text);
    show(this.problem, text !== "");
  }

  draw() {
    show(this.area, this.photos.length === 0);
    show(this.sample, this.kind.sample && this.photos.length === 0);
    this.tiles.draw(this.photos);
    const notes = this.photos.flatMap((photo) => photo.notes?.[language] ?? []);
    show(this.notes, notes.length > 0);
    this.notes.replaceChildren(...notes.map((note) => h("li", {}, note)));
    this.changed();
  }

  /** @param {Photo} photo */
  remove(photo) {
    const at = this.photos.indexOf(photo);
    this.set(this.photos.filter((other) => other !== photo));
    focusOn(this.tiles.removeButton(at) ?? this.input);
  }

  /** Open the browser's dialog. @param {boolean} [add] beside those that are there, else in their place */
  choose(add = false) {
    this.adding = add;
    this.input.click();
  }

  /**
   * Show what the clip makes of the photos.
   *
   * @param {(photo: Photo) => number[] | undefined} size the clip's [width, height]
   * @param {string} fit crop or pad
   * @param {number} position of what a cut keeps, 0..1
   */
  frame(size, fit, position) {
    this.tiles.frame(size, fit, position);
  }

  focus() {
    this.complain(t("photo.missing"));
    this.input.focus();
  }
}
