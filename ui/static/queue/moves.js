// @ts-check
// Where a waiting job goes when it is moved in the line, by a button or by the pointer.

/** @import { ActiveJob } from "../types.d.ts" */

/** Those that wait, in the order of the line. @param {ActiveJob[]} active */
export function waitingOf(active) {
  return active.filter((job) => job.status === "queued");
}

/**
 * The index that a move leads to, kept inside the line; null where nothing moves.
 *
 * @param {number} from its index now, -1: it does not wait any more
 * @param {number} by so many places, negative: forward; -Infinity: to the front
 * @param {number} count of the jobs that wait
 */
export function moveTarget(from, by, count) {
  const to = Math.min(Math.max(from + by, 0), count - 1);
  return from < 0 || from === to ? null : to;
}

/**
 * Whether what is dragged lands before the row that it is held over; behind it otherwise.
 *
 * @param {ActiveJob[]} active
 * @param {string} target the job of that row
 * @param {string} dragged
 */
export function landsBefore(active, target, dragged) {
  const at = (/** @type {string} */ id) => active.findIndex((job) => job.id === id);
  return active[at(target)]?.status === "queued" && at(target) < at(dragged);
}
