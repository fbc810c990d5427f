// @ts-check
// What the gallery is asked for: its filters, and pages of them.

const PAGE = 24;

/** @typedef {{ text: string, model: string, resolution: string, days: string, favourite: boolean }} Filters "": all of them */

/** @type {Filters} */
export const NO_FILTERS = { text: "", model: "", resolution: "", days: "", favourite: false };

/** Whether some videos are left out. @param {Filters} filters */
export function narrowed(filters) {
  return Object.values(filters).some(Boolean);
}

/**
 * after: what the last page named as its end, so that a video that is finished meanwhile moves no page. "": the first.
 *
 * @param {Filters} filters
 * @param {string} after
 */
export function galleryQuery({ text, model, resolution, days, favourite }, after) {
  const query = new URLSearchParams({ kind: "done", after, limit: String(PAGE), text, model, resolution, favourite: String(favourite) });
  if (days) query.set("days", days); // by the program's clock: the browser's may be wrong
  return query;
}

/**
 * What was found, where those that are known stay the same objects, with their newest state: tiles have them. An answer
 * that was on its way may tell an older one.
 *
 * @template {{ id: string, favourite: boolean, revision: number }} T
 * @param {T[]} found
 * @param {T[]} known
 * @param {(id: string) => void} starred called where a star has come or gone elsewhere
 */
export function merged(found, known, starred) {
  const before = new Map(known.map((job) => [job.id, job]));
  return found.map((job) => {
    const old = before.get(job.id);
    if (old && job.revision < old.revision) return old;
    if (old && old.favourite !== job.favourite) starred(job.id);
    return old ? Object.assign(old, job) : job;
  });
}
