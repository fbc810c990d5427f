// @ts-check
// What helps a job that has ended badly, as buttons: the same beside the job and in the queue. And crashed workers.

import { language, t } from "../lib/catalogue.js";
import { h, icon, ICONS, once, toast } from "../lib/dom.js";
import { call } from "../lib/net.js";

/** @import { Hooks, Job, Said, Worker } from "../types.d.ts" */

/**
 * The names of what helps, the one that the diagnosis names first. Without a smaller resolution "retry_smaller" is none.
 *
 * @param {Said | undefined} said the job's diagnosis
 */
export function recoveryNames(said) {
  const known = ["retry", "retry_smaller", "other_photo", "download"];
  const wanted = [...new Set([said?.action ?? "retry", "retry", "retry_smaller"])];
  return wanted.filter((name) => known.includes(name) && (name !== "retry_smaller" || said?.resolution));
}

/**
 * A button for each.
 *
 * @param {Job} job
 * @param {Hooks} hooks
 */
export function recoveryActions(job, hooks) {
  const said = job.diagnosis?.[language];
  const resolution = said?.resolution ?? "";
  /** @type {Record<string, [string, string, () => unknown]>} */
  const ways = {
    retry: [ICONS.again, t("action.again"), () => retry(job, hooks)],
    retry_smaller: [ICONS.again, t("action.smaller", { resolution }), () => retry(job, hooks, { resolution })],
    other_photo: [ICONS.photo, t("photo.replace"), () => hooks.other(job)],
    download: [ICONS.download, t("action.models"), () => hooks.view("system")],
  };
  return recoveryNames(said).map((name, at) => {
    const [path, words, act] = ways[name];
    return h("button", { type: "button", class: at || !said ? "action" : "action strong", data: { mend: name }, onclick: once(act) }, icon(path), h("span", {}, words));
  });
}

/** @param {Job} job @param {Hooks} hooks @param {{ resolution: string }} [body] what is to be different */
export async function retry(job, hooks, body) {
  try {
    /** @type {Job} */
    const made = await call(`studio/jobs/${job.id}/retry`, { method: "POST", body });
    hooks.open(made.id, made);
  } catch (refusal) {
    toast(refusal.message, "error");
  }
}

/** The next video, from this one's last frame, in one file with it. @param {{ id: string }} job @param {Hooks} hooks */
export async function goOnFrom(job, hooks) {
  try {
    /** @type {Job} */
    const made = await call(`studio/jobs/${job.id}/continue`, { method: "POST", body: { joined: true } });
    hooks.open(made.id, made);
  } catch (refusal) {
    toast(refusal.message, "error");
  }
}

/** The same photo and settings with another seed. @param {{ id: string }} job @param {Hooks} hooks */
export async function anotherTake(job, hooks) {
  try {
    /** @type {{ jobs: Job[] }} */
    const { jobs } = await call(`studio/jobs/${job.id}/again`, { method: "POST", body: { takes: 1 } });
    hooks.open(jobs[0].id, jobs[0]);
  } catch (refusal) {
    toast(refusal.message, "error");
  }
}

export async function restartWorker() {
  try {
    await call("studio/workers/restart", { method: "POST" });
    toast(t("system.restarting"));
  } catch (refusal) {
    toast(refusal.message, "error");
  }
}

/** Why a worker crashed, where that is known, and that it is tried again. @param {Worker} worker */
export function crashWords({ cause, restarts }) {
  const why = cause[language];
  return [why && t("worker.crash_cause", { cause: why }), t("worker.crash_more", { n: restarts })].filter(Boolean).join(" ");
}
