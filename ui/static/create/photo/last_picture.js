// @ts-check
// The picture that a video ends with: offered where the model can be told, and where no loop has its own.

import { t } from "../../lib/catalogue.js";
import { h, setText, show } from "../../lib/dom.js";
import { framing } from "./framing.js";
import { LAST, PhotoPicker } from "./picker.js";

/** @import { Photo } from "../../types.d.ts" */
/** @import { Listeners } from "./picker.js" */

/**
 * able: the model can be told, and it is time to ask. loop: the video ends as it begins. clip: its [width, height], where they are known. fit: crop
 * or pad. position: of what a cut keeps, 0..1.
 *
 * @typedef {{ able: boolean, loop: boolean, clip: number[] | undefined, fit: string, position: number }} Choices
 */

export class LastPicture {
  /** @param {HTMLElement} root the box of both @param {number} limit bytes of a photo @param {Listeners} listeners */
  constructor(root, limit, listeners) {
    this.root = root;
    this.choices = { able: false, loop: false };
    this.title = h("p", { class: "end-title" });
    this.loop = h("p", { class: "end-loop" });
    this.note = h("p", { class: "end-note", role: "status" });
    this.box = h("div", { class: "last-box" }, this.title, this.loop);
    this.words = h("div", { class: "last-words" }, this.note);
    root.append(this.box, this.words);
    this.picker = new PhotoPicker(LAST, this.box, this.words, limit, listeners);
    this.label();
  }

  label() {
    this.picker.label();
    setText(this.title, t("photo.last_title"));
    setText(this.loop, t("photo.last_loop"));
  }

  /** The one that was chosen, whether it can be used or not. @returns {Photo | undefined} */
  get chosen() {
    return this.picker.photos[0];
  }

  /** Whether one can be had now. */
  get offered() {
    return this.choices.able && !this.choices.loop;
  }

  /** The one that the video is to end with. @returns {Photo | undefined} */
  get asked() {
    return this.offered ? this.chosen : undefined;
  }

  /** Whether what was chosen has arrived, where it is wanted at all. @returns {Promise<boolean> | boolean} */
  settled() {
    return this.offered ? this.picker.uploads.settled() : true;
  }

  /** @param {Choices} choices */
  draw(choices) {
    this.choices = choices;
    const { loop, clip, fit, position } = choices;
    const { asked } = this;
    this.root.classList.toggle("both", Boolean(asked));
    show(this.box, choices.able);
    show(this.words, this.offered);
    show(this.loop, loop);
    show(this.picker.box, !loop);
    show(this.title, Boolean(asked));
    this.picker.frame(() => clip, fit, position);
    const { inset, padded } = asked ? framing(asked, clip, fit, position) : { inset: "", padded: false };
    setText(this.note, inset ? t("photo.last_cut") : padded ? t("photo.last_padded") : "");
    show(this.note, inset !== "" || padded);
  }

  /** That of a job, or none where it has none. @param {{ id: string, last_photo: unknown }} job */
  takeOf({ id, last_photo }) {
    if (last_photo) return this.picker.takeOf(id, "/last");
    this.picker.uploads.stop();
    this.picker.forgive();
    this.picker.set([]);
  }
}
