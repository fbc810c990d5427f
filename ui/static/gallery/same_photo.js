// @ts-check
// Videos of one photo: brought together, and told apart by what differs between them.

import { has, language, t } from "../lib/catalogue.js";
import { number } from "../lib/format.js";

/** @import { LastPhoto, LoraChoice, Options, Settings } from "../types.d.ts" */

/** @typedef {{ settings: Settings, last_photo?: LastPhoto | null }} Take */

const MOST_LETTERS = 40; // of a prompt

/**
 * The same videos, those of one photo together, where the first of them stands.
 *
 * @template {{ id: string, photo_hash: string }} T
 * @param {T[]} jobs
 * @returns {T[][]} one list for each photo; a photo of an earlier version has no hash
 */
export function byPhoto(jobs) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const job of jobs) {
    const takes = groups.get(job.photo_hash || job.id);
    if (takes) takes.push(job);
    else groups.set(job.photo_hash || job.id, [job]);
  }
  return [...groups.values()];
}

/**
 * What two videos are called together: takes of one photo, or just by their names. A continued video's photo is the
 * last frame of the one before, under the same name.
 *
 * @param {{ name: string, photo_hash: string }} a
 * @param {{ name: string, photo_hash: string }} b
 */
export function pairTitle(a, b) {
  if (a.name !== b.name) return `${a.name} · ${b.name}`;
  return a.photo_hash === b.photo_hash ? t("compare.takes", { name: a.name }) : a.name;
}

/**
 * A video and the one after it among its photo's, the one before it for the last.
 *
 * @template {{ id: string }} T
 * @param {T} job
 * @param {T[]} takes at least two, it among them
 * @returns {[string, string]} their ids
 */
export function withNext(job, takes) {
  const at = Math.min(takes.indexOf(job), takes.length - 2);
  return [takes[at].id, takes[at + 1].id];
}

const LAST = "last_photo"; // told with the settings, but none of them

/**
 * The settings in which videos differ, in the order of their names' appearance; and whether their last pictures do.
 *
 * @param {Take[]} jobs
 */
export function differing(jobs) {
  const keys = [...Object.keys(jobs[0]?.settings ?? {}), LAST];
  return keys.filter((key) => new Set(jobs.map((job) => JSON.stringify((key === LAST ? job.last_photo?.hash : settingOf(job, key)) ?? null))).size > 1);
}

/** @param {Take} job @param {string} key */
function settingOf(job, key) {
  return /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (job.settings))[key];
}

/**
 * What tells a video from the others: "Seed 6 · Steps 10".
 *
 * @param {Take} job
 * @param {string[]} keys
 * @param {Options["settings"]} about the settings' labels
 */
export function apart(job, keys, about) {
  return keys.map((key) => `${about[key]?.label[language] ?? key}: ${key === LAST ? (job.last_photo?.name ?? t("take.no")) : valueWords(key, settingOf(job, key))}`).join(" · ");
}

/** @param {string} key @param {unknown} value */
function valueWords(key, value) {
  if (value === null || value === undefined || value === "") return t("take.preset");
  if (key === "loras") return lorasWords(/** @type {LoraChoice[]} */ (value)) || t("take.no");
  if (key === "seconds") return t("form.seconds_value", { n: Number(value) });
  if (typeof value === "boolean") return t(value ? "take.yes" : "take.no");
  if (has(`${key}.${value}`)) return t(`${key}.${value}`);
  const text = typeof value === "number" && !Number.isInteger(value) ? value.toLocaleString(language) : String(value);
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
}

/** @param {LoraChoice[]} loras */
function lorasWords(loras) {
  return loras.map(({ name, strength }) => (strength === null ? name : `${name} (${number(strength, 2)})`)).join(", ");
}
