// @ts-check
// One finished video in the gallery: a poster that plays under the pointer, its buttons, and what tells it from others.

import { clipSeconds, describe } from "../job/job_words.js";
import { favour } from "../job/favourite.js";
import { t } from "../lib/catalogue.js";
import { calm, h, icon, ICONS, setText, show, single } from "../lib/dom.js";
import { when } from "../lib/format.js";
import { selectBox } from "../lib/selection_bar.js";

/** @import { FinishedJob } from "../types.d.ts" */

/** @typedef {{ take: (event: MouseEvent) => unknown, redo: () => unknown, remove: () => unknown, compare: () => unknown, select: (range: boolean) => void }} TileActs */

export class Tile {
  /** @param {FinishedJob} job @param {TileActs} acts */
  constructor(job, acts) {
    this.job = job;
    const { width, height, still, url, download } = job.video;
    const picture = h("img", { src: still, alt: "", loading: "lazy", width, height });
    const ground = h("img", { src: still, alt: "", class: "ground", loading: "lazy" });
    this.cover = h("a", { class: "cover", href: `./?job=${job.id}`, data: { go: "create", job: job.id }, "aria-label": job.name }, ground, picture);
    const play = () => {
      if (this.cover.querySelector("video") || calm()) return;
      const video = h("video", { src: url, muted: true, loop: true, playsInline: true, autoplay: true });
      video.muted = true;
      this.cover.append(video);
    };
    const stop = () => {
      const video = this.cover.querySelector("video");
      if (!video) return;
      video.remove();
      video.removeAttribute("src");
      video.load(); // lets go of its connection, of which a browser has six
    };
    const act = (/** @type {string} */ name, /** @type {string} */ path, /** @type {(event: MouseEvent) => unknown} */ action) => h("button", { type: "button", class: "chip", title: t(`action.${name}`), "aria-label": `${t(`action.${name}`)}: ${job.name}`, onclick: action }, icon(path));
    this.compare = act("compare", ICONS.compare, acts.compare);
    this.box = selectBox(acts.select, job.name);
    this.apart = h("span", { class: "apart" });
    this.element = h("li", { class: "tile", data: { id: job.id }, onpointerenter: play, onpointerleave: stop, onfocusin: play, onfocusout: stop }, this.cover, this.box,
      h("div", { class: "over-tools" },
        h("a", { class: "chip", href: download, title: t("action.download"), "aria-label": `${t("action.download")}: ${job.name}` }, icon(ICONS.download)),
        favour(job, "chip star"), act("take", ICONS.plus, acts.take), this.compare, act("redo", ICONS.sliders, acts.redo), act("delete", ICONS.trash, single(acts.remove))),
      h("div", { class: "tile-words" }, h("b", { title: job.name }, job.name), this.apart, h("span", { class: "facts" }, describe(job.settings, job.video && clipSeconds(job.video))), h("span", { class: "facts" }, when(job.finished))));
  }

  /** @param {string} apart what tells it from the other takes of its photo @param {number} at its place among them, the newest first; they are counted from the first that was made @param {number} of so many */
  draw(apart, at, of) {
    setText(this.apart, of > 1 ? [t("take.place", { at: of - at, of }), apart].filter(Boolean).join(" · ") : "");
    show(this.apart, of > 1);
    show(this.compare, of > 1);
    this.element.dataset.takes = of < 2 ? "" : at === 0 ? "first" : at === of - 1 ? "last" : "middle";
  }

  /** @param {boolean} yes */
  select(yes) {
    this.box.checked = yes;
    this.element.classList.toggle("selected", yes);
  }
}
