// @ts-check
// One finished video in the gallery: a poster that plays under the pointer, and its buttons.

import { describe } from "../job/job_words.js";
import { t } from "../lib/catalogue.js";
import { calm, h, icon, ICONS, toast } from "../lib/dom.js";
import { when } from "../lib/format.js";
import { call } from "../lib/net.js";

/** @import { FinishedJob } from "../types.d.ts" */

/** @param {FinishedJob} job @param {{ take: (event: MouseEvent) => unknown, redo: () => unknown, remove: () => unknown }} acts */
export function tile(job, acts) {
  const picture = h("img", { src: job.video.still, alt: "", loading: "lazy", width: job.video.width, height: job.video.height });
  const open = h("a", { class: "cover", href: `./?job=${job.id}`, data: { go: "create", job: job.id }, "aria-label": job.name }, picture);
  const play = () => {
    if (open.querySelector("video") || calm()) return;
    const video = h("video", { src: job.video.url, muted: true, loop: true, playsInline: true, autoplay: true });
    video.muted = true;
    open.append(video);
  };
  const stop = () => open.querySelector("video")?.remove();
  const act = (/** @type {string} */ name, /** @type {string} */ path, /** @type {(event: MouseEvent) => unknown} */ action) => h("button", { type: "button", class: "chip", title: t(`action.${name}`), "aria-label": `${t(`action.${name}`)}: ${job.name}`, onclick: action }, icon(path));
  return h("li", { class: "tile", data: { id: job.id }, onpointerenter: play, onpointerleave: stop, onfocusin: play, onfocusout: stop }, open,
    h("div", { class: "over-tools" },
      h("a", { class: "chip", href: job.video.download, title: t("action.download"), "aria-label": `${t("action.download")}: ${job.name}` }, icon(ICONS.download)),
      star(job),
      act("take", ICONS.plus, acts.take),
      act("redo", ICONS.sliders, acts.redo),
      act("delete", ICONS.trash, acts.remove)),
    h("div", { class: "tile-words" }, h("b", {}, job.name), h("span", { class: "facts" }, describe(job.settings)), h("span", { class: "facts" }, when(job.finished))));
}

/** @param {FinishedJob} job */
function star(job) {
  const toggle = async () => {
    try {
      Object.assign(job, await call(`studio/jobs/${job.id}/favourite`, { method: "POST", body: { favourite: !job.favourite } }));
      label();
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  };
  const button = h("button", { type: "button", class: "chip star", onclick: toggle }, icon(ICONS.star));
  const label = () => {
    button.setAttribute("aria-pressed", String(job.favourite));
    button.title = t("action.favourite");
    button.setAttribute("aria-label", `${t("action.favourite")}: ${job.name}`);
  };
  label();
  return button;
}
