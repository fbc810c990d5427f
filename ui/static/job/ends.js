// @ts-check
// The picture that a job's video ends with, small, beside its name.

import { t } from "../lib/catalogue.js";
import { h, setText, show } from "../lib/dom.js";

/** @import { Job } from "../types.d.ts" */

export class Ends {
  constructor() {
    this.picture = h("img", { alt: "" });
    this.words = h("span");
    this.element = h("a", { class: "facts ends-with", target: "_blank", rel: "noopener", hidden: true }, this.picture, this.words);
  }

  /** @param {Job} job */
  draw({ last_photo: last }) {
    show(this.element, last !== null);
    if (!last) return;
    if (this.picture.getAttribute("src") !== last.poster) this.picture.src = last.poster;
    this.element.href = last.url;
    setText(this.words, t("job.ends_with", { name: last.name }));
  }
}
