// @ts-check
// The keyboard of the views. Fields and the browser's own keys come first; `?` shows what there is.

import { ended } from "../job/job_words.js";
import { toggleSheet } from "./key_sheet.js";

/** @import { Hooks } from "../types.d.ts" */
/** @import { View } from "./address.js" */

/**
 * What keys go to.
 *
 * @typedef {object} Shown
 * @property {View} view
 * @property {[string, string] | null} pair two that are compared
 * @property {import("../compare/compare.js").Compare} compare
 * @property {import("../gallery/gallery.js").GalleryView} gallery
 * @property {import("../queue/queue.js").QueueView} queue
 * @property {import("../job/job.js").JobView} job
 * @property {Hooks} hooks
 */

const FIELDS = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select";

/** @param {KeyboardEvent} event @param {Shown} shown */
export function onKey(event, shown) {
  const target = event.target instanceof HTMLElement ? event.target : document.body; // a script's own event may come from the document
  if (event.defaultPrevented || target.closest(FIELDS) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") toggleSheet();
  else if (shown.view === "gallery") (shown.pair ? shown.compare : shown.gallery).key(event);
  else if (shown.view === "queue") shown.queue.key(event);
  else if (shown.view === "create") jobKey(event, target, shown);
}

/** From a finished video to its neighbours in the gallery, and back to the gallery. @param {KeyboardEvent} event @param {HTMLElement} target @param {Shown} shown */
async function jobKey(event, target, { gallery, job: view, hooks }) {
  const { id, job } = view;
  const finished = job ? ended(job) : gallery.tiles.has(id ?? ""); // its state may not be here yet
  if (!id || !finished || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.key === "Escape") {
    if (view.saving.open) view.toggleSave();
    else hooks.view("gallery");
    return;
  }
  if (target.matches("video, input, summary, .lines") || !(event.key === "ArrowLeft" || event.key === "ArrowRight")) return; // those have arrows of their own
  event.preventDefault();
  const next = await gallery.neighbour(id, event.key === "ArrowLeft" ? -1 : 1);
  if (next && view.id === id && view.root.checkVisibility()) hooks.open(next.id, next, true); // nothing else was opened meanwhile
}
