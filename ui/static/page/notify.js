// @ts-check
// Tell when a video has ended: by a notification, by a sound. Each has its switch, both are off at first.

import { t } from "../lib/catalogue.js";
import { toast } from "../lib/dom.js";
import { call } from "../lib/net.js";
import { recall, remember } from "../lib/storage.js";

/** @import { ActiveJob, Job } from "../types.d.ts" */

const TOLD = ["done", "failed"];
const MOST_TOLD = 50;
const BEEP_SECONDS = 0.5;
const BEEP_MOST_MS = 3000; // a speaker may wake up first; without a click since the page was loaded nothing sounds at all
/** @type {Set<string> | null} */
let before = null; // nothing is known yet

export function wanted() {
  return recall("notify", false) && "Notification" in window && Notification.permission === "granted";
}

export function sounds() {
  return recall("sound", false);
}

/** Switch on or off; the browser asks its own question the first time. */
export async function toggle() {
  if (wanted()) {
    remember("notify", false);
    toast(t("notify.off"));
    return;
  }
  const allowed = "Notification" in window && (await Notification.requestPermission()) === "granted" && works();
  remember("notify", allowed);
  toast(t(allowed ? "notify.on" : "notify.denied"), allowed ? "info" : "error");
}

/** The first one says that it works. Android's browsers give the permission, and then refuse to show any. */
function works() {
  try {
    new Notification("fanslymotion", { body: t("notify.on"), silent: true });
    return true;
  } catch {
    return false;
  }
}

export function toggleSound() {
  remember("sound", !sounds());
  toast(t(sounds() ? "notify.sound_on" : "notify.sound_off"));
  if (sounds()) beep();
}

/**
 * Call with one's jobs in the line, whenever they are known: one that is gone from it has ended.
 *
 * @param {ActiveJob[]} active
 * @param {(id: string) => void} open show that job
 */
export async function follow(active, open) {
  const now = new Set(active.map((job) => job.id));
  const gone = [...(before ?? [])].filter((id) => !now.has(id));
  before = now;
  if (!wanted() && !sounds()) return;
  for (const id of gone) await tellEnd(id, open);
}

/** @param {string} id @param {(id: string) => void} open */
async function tellEnd(id, open) {
  /** @type {Job} */
  let job;
  try {
    job = await call(`studio/jobs/${id}`);
  } catch (refusal) {
    if (!refusal.gone) before?.add(id); // not deleted: it is asked for again when the program answers
    return;
  }
  if (!TOLD.includes(job.status)) return;
  try {
    tell(job, open);
  } catch {
    // the browser has changed its mind; the next one is told in the way that is left
  }
}

/**
 * A sound in any case, a notification while the page is hidden. One tab speaks for all of this browser's.
 *
 * @param {Job} job
 * @param {(id: string) => void} open
 */
function tell(job, open) {
  const told = recall("told", /** @type {string[]} */ ([]));
  const key = `${job.id} ${job.revision}`;
  if (told.includes(key)) return;
  remember("told", [...told, key].slice(-MOST_TOLD));
  if (sounds()) beep();
  if (!document.hidden || !wanted()) return;
  const note = new Notification(t(`notify.${job.status}`), { body: job.name, icon: job.poster, tag: job.id });
  note.onclick = () => {
    window.focus();
    open(job.id);
    note.close();
  };
}

function beep() {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = 880;
  volume.gain.setValueAtTime(0.08, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + BEEP_SECONDS);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + BEEP_SECONDS);
  setTimeout(() => audio.close(), BEEP_MOST_MS);
}
