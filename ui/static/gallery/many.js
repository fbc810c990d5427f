// @ts-check
// Ask the server to do something with several jobs at once; what it refuses is said.

import { language } from "../lib/catalogue.js";
import { toast } from "../lib/dom.js";
import { call } from "../lib/net.js";

/** @import { Many } from "../types.d.ts" */

export const MOST = 200; // jobs in one request (ui/api/many_routes.py)

/** Whether all of it was done, or had been. @param {string[]} ids */
export async function deleteMany(ids) {
  if (ids.length > 1) return ask("delete", ids);
  try {
    await call(`studio/jobs/${ids[0]}`, { method: "DELETE", keepalive: true }); // it may outlive the page
    return true;
  } catch (refusal) {
    if (refusal.gone) return true; // another tab was quicker
    toast(refusal.message, "error");
    return false;
  }
}

/** A star for all of them, or for none where all have one. @param {{ id: string, favourite: boolean }[]} jobs get the new state */
export async function favourMany(jobs) {
  const favourite = !jobs.every((job) => job.favourite);
  const done = await ask(favourite ? "favourite" : "unfavourite", jobs.map(({ id }) => id));
  if (done) for (const job of jobs) job.favourite = favourite;
  return done;
}

/** @param {string[]} ids */
export function cancelMany(ids) {
  return ask("cancel", ids);
}

/** The addresses of files with the videos of these jobs, at most MOST in each. @param {string[]} ids */
export function zipAddresses(ids) {
  return batches(ids).map((part) => `studio/zip?jobs=${part.join(",")}`);
}

/** @template T @param {T[]} items @returns {T[][]} in their order, at most MOST in each */
export function batches(items) {
  return Array.from({ length: Math.ceil(items.length / MOST) }, (_, at) => items.slice(at * MOST, (at + 1) * MOST));
}

/** All requests begin at once, for the page may be left. @param {"delete" | "cancel" | "favourite" | "unfavourite"} act @param {string[]} jobs */
async function ask(act, jobs) {
  try {
    /** @type {Many[]} */
    const answers = await Promise.all(batches(jobs).map((part) => call("studio/many", { method: "POST", body: { act, jobs: part }, keepalive: true })));
    const [first] = answers.flatMap(({ refused }) => Object.values(refused));
    if (first) toast(first[language], "error");
    return !first;
  } catch (refusal) {
    toast(refusal.message, "error");
    return false;
  }
}
