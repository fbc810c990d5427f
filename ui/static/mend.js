// What mends a job that has ended badly, as buttons: the same beside the job and in the queue.

import { h, icon, ICONS, once, toast } from "./dom.js";
import { language, t } from "./i18n.js";
import { call } from "./net.js";

/**
 * Buttons, the one that the diagnosis names first.
 *
 * hooks: open(job id, state), view(name), other(settings) chooses another photo for them
 */
export function mends(job, hooks) {
  const said = job.diagnosis?.[language];
  const smaller = said?.resolution;
  const ways = {
    retry: () => [ICONS.again, t("action.again"), () => retry(job, hooks)],
    retry_smaller: () => smaller && [ICONS.again, t("action.smaller", { resolution: smaller }), () => retry(job, hooks, { resolution: smaller })],
    other_photo: () => [ICONS.photo, t("photo.replace"), () => hooks.other(job.settings)],
    download: () => [ICONS.download, t("action.models"), () => hooks.view("system")],
  };
  const wanted = new Set([said?.action ?? "retry", "retry", "retry_smaller"]);
  return [...wanted].map((action) => [action, ways[action]?.()]).filter(([, way]) => way).map(([action, [path, words, act]], at) =>
    h("button", { type: "button", class: at || !said ? "action" : "action strong", data: { mend: action }, onclick: once(act) }, icon(path), h("span", {}, words)));
}

export async function retry(job, hooks, body) {
  try {
    const made = await call(`/studio/jobs/${job.id}/retry`, { method: "POST", body });
    hooks.open(made.id, made);
  } catch (refusal) {
    toast(refusal.message, "error");
  }
}

export async function restartWorker() {
  try {
    await call("/studio/workers/restart", { method: "POST" });
    toast(t("system.restarting"));
  } catch (refusal) {
    toast(refusal.message, "error");
  }
}

/** Why a worker crashed, where that is known, and that it is tried again. */
export function crashWords({ cause, restarts }) {
  const why = cause[language];
  return [why && t("worker.crash_cause", { cause: why }), t("worker.crash_more", { n: restarts })].filter(Boolean).join(" ");
}
