// @ts-check
// Ask the server to do something with several jobs at once; what it refuses is said.

import { language } from "../lib/catalogue.js";
import { toast } from "../lib/dom.js";
import { call } from "../lib/net.js";

/** @import { Many } from "../types.d.ts" */

/** Whether all of it was done, or had been. @param {string[]} ids */
export async function deleteMany(ids) {
  if (ids.length > 1) return ask("delete", ids);
  try {
    await call(`studio/jobs/${ids[0]}`, { method: "DELETE", keepalive: true }); // it may outlive the page
    return true;
  } catch (refusal) {
    if (refusal.status === 404) return true; // another tab was quicker
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

/** One file with the videos of these jobs. @param {string[]} ids */
export function zipAddress(ids) {
  return `studio/zip?jobs=${ids.join(",")}`;
}

/** @param {"delete" | "cancel" | "favourite" | "unfavourite"} act @param {string[]} jobs */
async function ask(act, jobs) {
  try {
    /** @type {Many} */
    const { refused } = await call("studio/many", { method: "POST", body: { act, jobs }, keepalive: true });
    const [first] = Object.values(refused);
    if (first) toast(first[language], "error");
    return !first;
  } catch (refusal) {
    toast(refusal.message, "error");
    return false;
  }
}
