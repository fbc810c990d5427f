// @ts-check
// The browser's tab: title and favicon tell how far the shown job is.

import { t } from "../lib/catalogue.js";
import { h } from "../lib/dom.js";
import { number } from "../lib/format.js";

/** @import { Job } from "../types.d.ts" */
/** @import { View } from "./address.js" */

/** @type {Record<string, string>} */
const COLOURS = { done: "#1a7f4b", failed: "#b3261e", cancelled: "#8b857a" };
const RUNNING = "#c2410c";
const STEPS = 20; // of the ring, so that it is not drawn anew all the time

/** @param {Job | null} job @param {boolean} paused the whole queue @param {View} view */
export function drawTab(job, paused, view) {
  document.title = tabTitle(job, paused, view);
  favicon(job);
}

/** The job's state; without a job the view's name. @param {Job | null} job @param {boolean} [paused] the whole queue @param {View} [view] */
export function tabTitle(job, paused = false, view = "create") {
  if (!job) return view === "create" ? "fanslymotion" : `${t(`view.${view}`)} · fanslymotion`;
  const state = job.status === "running" ? `${number(100 * job.fraction)} %` : t(`status.${paused && job.status === "queued" ? "paused" : job.status}`);
  return [state, job.name, "fanslymotion"].join(" · ");
}

/** A ring that closes while the job runs, then a dot in the colour of its end. @param {Job | null} job */
function favicon(job) {
  const share = job?.status === "running" ? Math.round(STEPS * job.fraction) / STEPS : -1;
  const state = job && job.status !== "queued" ? `${job.status} ${share}` : "";
  const link = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel~=icon]"));
  if (!link || link.dataset.state === state) return;
  link.dataset.state = state;
  link.href = job && state ? ring(job.status, share) : "studio/static/icon.svg";
}

/** @param {string} status @param {number} share 0..1, -1: a dot */
function ring(status, share) {
  const canvas = h("canvas", { width: 32, height: 32 });
  const pen = canvas.getContext("2d");
  if (!pen) return "studio/static/icon.svg";
  pen.lineWidth = 7;
  pen.strokeStyle = "#8b857a80";
  pen.beginPath();
  pen.arc(16, 16, 12, 0, 2 * Math.PI);
  pen.stroke();
  pen.strokeStyle = pen.fillStyle = COLOURS[status] ?? RUNNING;
  pen.beginPath();
  if (share >= 0) {
    pen.arc(16, 16, 12, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * share);
    pen.stroke();
  } else {
    pen.arc(16, 16, 15.5, 0, 2 * Math.PI);
    pen.fill();
  }
  return canvas.toDataURL();
}
