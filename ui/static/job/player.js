// @ts-check
// What is seen of a job: its photo, the preview while it runs, the video at the end; or why that cannot be played.

import { t } from "../lib/catalogue.js";
import { calm, find, h, setText, show, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { make } from "../save/making.js";

/** @import { Export, Job } from "../types.d.ts" */

/** Why a video cannot be played, as a key of the catalogue; "": it can. @typedef {"" | "job.video_unreached" | "job.video_unplayable" | "job.video_gone"} Refused */

export class Player {
  /** @param {() => void} refusedNow called when the video turns out to be unplayable */
  constructor(refusedNow) {
    this.refusedNow = refusedNow;
    /** @type {Refused} */
    this.refused = "";
    /** @type {Job | null} */
    this.job = null;
    this.photo = h("img", { class: "photo", alt: "" });
    this.preview = h("img", { class: "preview", alt: "", hidden: true });
    this.video = h("video", { controls: true, loop: true, playsInline: true, muted: true, preload: "auto", hidden: true });
    this.video.addEventListener("error", () => this.unplayable());
    this.badge = h("span", { class: "badge", hidden: true });
    this.element = h("div", { class: "frame" }, this.photo, this.preview, this.video, this.badge);
    /** @type {string | null} */
    this.copy = null; // the address of one that this browser can play
    /** @type {AbortController | null} */
    this.copying = null; // while a copy of the shown video is made
    this.why = h("p");
    this.convert = h("button", { type: "button", class: "action", onclick: () => this.makeCopy() }, h("span"));
    this.unplayed = h("div", { class: "unplayable", role: "alert", data: { said: "unplayable" }, hidden: true }, this.why, this.convert);
  }

  /** Nothing is left of the job before. */
  clear() {
    this.job = null;
    for (const image of [this.photo, this.preview]) image.removeAttribute("src");
    delete this.preview.dataset.wanted; // what still loads belongs to the other job
    this.clearVideo();
    show(this.preview, false);
  }

  /** @param {Job} job */
  draw(job) {
    this.job = job;
    const { width, height } = job.expected ?? { width: 16, height: 9 };
    this.element.style.setProperty("--shape", `${width} / ${height}`);
    this.element.style.setProperty("--ratio", String(width / height));
    const at = `${100 * (job.settings.position ?? 0.5)}%`;
    this.photo.style.objectPosition = `${at} ${at}`; // as the video is cut from it
    if (this.photo.getAttribute("src") !== job.poster) this.photo.src = job.poster;
    this.drawVideo(job);
    this.drawPreview(job);
  }

  /** @param {Job} job */
  drawVideo(job) {
    if (!job.video) {
      this.clearVideo();
    } else if (this.video.getAttribute("src") !== (this.copy ?? job.video.url)) {
      this.refused = "";
      this.video.src = this.copy ?? job.video.url;
      this.video.poster = job.settings.shape === "photo" ? job.poster : job.video.still;
      if (!calm()) this.video.play().catch(() => {});
    }
    const refused = job.video ? this.refused : "";
    show(this.video, Boolean(job.video) && !refused);
    setText(this.why, refused && t(refused));
    show(this.convert, refused === "job.video_unplayable" && !this.copy);
    this.convert.setAttribute("aria-busy", String(Boolean(this.copying)));
    if (!this.copying) setText(find(this.convert, "span"), t("job.make_copy"));
    show(this.unplayed, Boolean(refused));
  }

  /** The same video as a WebM, which browsers without H.264 play. */
  async makeCopy() {
    if (!this.job || this.copying) return;
    const turn = (this.copying = new AbortController());
    this.drawVideo(this.job);
    const tell = (/** @type {Export} */ state) => turn === this.copying && setText(find(this.convert, "span"), `${t("save.making")}: ${number(100 * state.fraction)} %`);
    /** @type {Export | null} */
    let made = null;
    try {
      made = await make(this.job.id, { format: "webm" }, tell, turn.signal);
    } catch (refusal) {
      if (turn === this.copying) toast(refusal.message, "error");
    }
    if (turn !== this.copying || !this.job) return; // another video is shown by now
    this.copying = null;
    if (made) this.copy = made.url;
    this.drawVideo(this.job);
    this.refusedNow();
  }

  /** @param {Job} job */
  drawPreview(job) {
    const preview = job.status === "running" ? job.preview : "";
    if (preview && this.preview.dataset.wanted !== preview) this.swap(preview);
    show(this.preview, !job.video && Boolean(this.preview.getAttribute("src")));
    show(this.badge, job.status === "running" && Boolean(preview));
    setText(this.badge, t("job.preview"));
  }

  /** Load the next preview before it takes the last one's place, so that nothing flickers. Still, where motion is unwanted. @param {string} address */
  swap(address) {
    this.preview.dataset.wanted = address;
    const next = new Image();
    next.onload = () => {
      if (this.preview.dataset.wanted !== address || !this.job || this.job.video) return;
      this.preview.src = calm() ? still(next) : address;
      show(this.preview, true);
    };
    next.src = address;
  }

  /** Instead of a black player: why, and what helps. A file that is not there is told from one that is not understood. */
  async unplayable() {
    const address = this.video.getAttribute("src");
    if (!address) return;
    const answer = await fetch(address, { method: "GET", headers: { Range: "bytes=0-0" } }).catch(() => null);
    if (address !== this.video.getAttribute("src") || !this.job) return;
    this.refused = !answer ? "job.video_unreached" : answer.ok ? "job.video_unplayable" : "job.video_gone";
    this.drawVideo(this.job);
    this.refusedNow();
  }

  clearVideo() {
    this.refused = "";
    this.copy = null;
    this.copying?.abort();
    this.copying = null;
    if (!this.video.hasAttribute("src")) return;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}

/** The first frame of an animation, as an address. @param {HTMLImageElement} image */
function still(image) {
  const canvas = h("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  canvas.getContext("2d")?.drawImage(image, 0, 0);
  return canvas.toDataURL();
}
