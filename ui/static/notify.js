// Tell when a video is done, for who asked for it: a notification and a short sound. Off until switched on.

import { recall, remember, toast } from "./dom.js";
import { t } from "./i18n.js";

const FINAL = ["done", "failed", "cancelled"];
let last = {};

export function wanted() {
  return recall("notify", false) && "Notification" in window && Notification.permission === "granted";
}

/** Switch on or off; the browser asks its own question the first time. */
export async function toggle() {
  if (wanted()) {
    remember("notify", false);
    toast(t("notify.off"));
    return;
  }
  const allowed = "Notification" in window && (await Notification.requestPermission()) === "granted";
  remember("notify", allowed);
  toast(t(allowed ? "notify.on" : "notify.denied"), allowed ? "info" : "error");
}

/** Call with every state of the shown job. Only an end that came while nobody looked is told. */
export function follow(job) {
  const before = last;
  last = { id: job.id, status: job.status };
  const ended = before.id === job.id && !FINAL.includes(before.status) && FINAL.includes(job.status);
  if (!ended || job.status === "cancelled" || !document.hidden || !wanted()) return;
  const note = new Notification(t(`notify.${job.status}`), { body: job.name, icon: job.poster, tag: job.id });
  note.onclick = () => {
    window.focus();
    note.close();
  };
  beep();
}

function beep() {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = 880;
  volume.gain.setValueAtTime(0.08, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + 0.5);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.5);
  tone.onended = () => audio.close();
}
