// @ts-check
// What is said about a job: its settings, how far it is, how long it will take.

import { has, language, t } from "../lib/catalogue.js";
import { duration, number } from "../lib/format.js";

/** @import { ActiveJob, Clip, Job, Options, ShortSettings } from "../types.d.ts" */

export const STAGES = ["queued", "loading", "conditioning", "sampling", "decoding", "saving"];
const LITTLE_SECONDS = 5; // fewer are not counted: the guess is no better than that
const FINAL = ["done", "failed", "cancelled"];

/** Whether nothing more happens to it. @param {{ status: string }} job */
export function ended({ status }) {
  return FINAL.includes(status);
}

/** Whether one of those that were active is it no more. @param {{ id: string }[]} before @param {{ id: string }[]} now */
export function anyLeft(before, now) {
  return before.some((job) => !now.some((other) => other.id === job.id));
}

/** Those that are not among the known ones. @template {{ id: string }} T @param {T[]} found @param {{ id: string }[]} known */
export function newOnes(found, known) {
  return found.filter((job) => !known.some((other) => other.id === job.id));
}

/** Its place among STAGES; -1: it has ended. @param {Job} job */
export function stageIndex(job) {
  if (ended(job)) return -1;
  return job.status === "queued" ? 0 : Math.max(1, STAGES.indexOf(job.stage));
}

/**
 * Frames are decoded and smoothed in one go; where none are shown in between they are only decoded.
 *
 * @param {string} stage
 * @param {Job} job
 * @param {Pick<Options, "qualities" | "models">} options
 */
export function stageName(stage, job, { qualities, models }) {
  const { model, quality } = job.settings;
  const [, own] = models.find(({ name }) => name === model)?.rates[quality] ?? [];
  const shown = own ?? qualities.find(({ name }) => name === quality)?.interpolation;
  return t(stage === "decoding" && shown === 1 ? "stage.decoding_only" : `stage.${stage}`);
}

/** Short, for lists. @param {ShortSettings} settings @param {number | null} [seconds] of the video, which is longer than they say where it continues another one */
export function describe(settings, seconds = null) {
  const quality = has(`quality.${settings.quality}`) ? t(`quality.${settings.quality}`) : settings.quality;
  return [settings.resolution, duration(seconds ?? settings.seconds), quality, settings.model, ...quicker(settings.mode)].join(" · ");
}

/** @param {Clip} video */
export function clipSeconds({ frames, fps }) {
  return frames / fps;
}

/** The mode's name where it is not the best one, which most videos are made in. @param {string} mode */
function quicker(mode) {
  return mode === "best" ? [] : [t(`mode.${mode}`)];
}

/** With the size and the frame rate of the video, made or expected. @param {Job} job */
export function facts({ settings, expected, video }) {
  const made = video ?? expected;
  const parts = [settings.resolution];
  if (made) parts.push(`${made.width} × ${made.height}`, duration(clipSeconds(made)), t("form.per_second", { n: made.fps }));
  parts.push(settings.model, ...quicker(settings.mode), t("form.seed_is", { seed: settings.seed }));
  return parts.join(" · ");
}

/** What a running job does and how far it is, for lists. @param {ActiveJob} job */
export function progress(job) {
  const parts = [stageNow(job.stage), `${number(100 * job.fraction)} %`];
  if (job.eta_seconds !== null) parts.push(timeLeft(job.eta_seconds));
  return parts.join(" · ");
}

/** What a waiting job waits for, for lists; "": for its turn. @param {ActiveJob} job @param {boolean} paused the whole queue */
export function waiting(job, paused) {
  const why = job.waits_for?.[language] ?? (job.attempt > 1 && !paused ? t("now.queued_again", { place: job.place, attempt: job.attempt }) : "");
  return [paused ? t("worker.paused") : "", why, startsIn(job)].filter(Boolean).join(" · ");
}

/** When a waiting job begins, "" where that is not known. @param {{ starts_in: number | null }} job */
export function startsIn({ starts_in }) {
  if (starts_in === null) return "";
  return starts_in < LITTLE_SECONDS ? t("now.starts_soon") : t("now.starts_in", { time: duration(starts_in) });
}

/**
 * What happens now, in one line.
 *
 * @param {Job} job
 * @param {boolean} paused the whole queue
 * @param {boolean} [lost] the program does not answer
 */
export function sentence(job, paused, lost = false) {
  if (lost && !ended(job)) return t("now.lost");
  if (job.status === "queued" && paused) return [t("now.paused", { place: job.place }), job.waits_for?.[language]].filter(Boolean).join(" · ");
  if (job.status === "queued" && job.waits_for) return job.waits_for[language];
  if (job.status === "queued") return job.attempt > 1 ? t("now.queued_again", { place: job.place, attempt: job.attempt }) : t("now.queued", { place: job.place });
  if (job.status !== "running") return t(`now.${job.status}`, { time: job.finished && job.started ? duration(job.finished - job.started) : "" });
  if (job.cancelling) return t("now.cancelling");
  const parts = [job.part ? loading(job.part) : stageNow(job.stage)];
  if (job.stage === "sampling" && job.windows > 1) parts.push(t("now.window", { window: job.window, windows: job.windows }));
  if (job.part) parts.push(t("now.part", { step: job.step + 1, steps: job.steps }));
  else parts.push(...counted(job));
  return parts.join(" · ");
}

/** The step of this part, or the frame; nothing before the first, and nothing where one thing is all there is. @param {Job} job */
function counted({ stage, step, steps, window, windows }) {
  if (["decoding", "saving"].includes(stage)) return step > 0 && steps > 1 ? [t("now.frame", { step, steps })] : [];
  const each = steps / Math.max(1, windows); // the server counts the steps of all parts
  const own = step - Math.max(0, window - 1) * each;
  return Number.isInteger(each) && each > 1 && own > 0 && own <= each ? [t("now.step", { step: own, steps: each })] : [];
}

/** Per cent and the time that is left, while it runs. @param {Job} job @param {boolean} [lost] the program does not answer */
export function remaining(job, lost = false) {
  if (job.status !== "running" || job.cancelling) return "";
  const percent = `${number(100 * job.fraction)} %`;
  return job.eta_seconds === null || lost ? percent : `${percent} · ${timeLeft(job.eta_seconds)}`;
}

/** @param {number} seconds */
function timeLeft(seconds) {
  return seconds < LITTLE_SECONDS ? t("now.left_little") : t("now.left", { time: duration(seconds) });
}

/** @param {string} stage */
function stageNow(stage) {
  return has(`now.${stage}`) ? t(`now.${stage}`) : t("now.starting");
}

/** What is being loaded; a model family may have parts that the page has no words for. @param {string} part */
function loading(part) {
  return has(`part.${part}`) ? t(`part.${part}`) : t("part.unnamed", { name: part.replaceAll("_", " ") });
}
