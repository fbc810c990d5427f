// @ts-check
// The page's addresses: /?job=… and /?view=…

export const VIEWS = /** @type {const} */ (["create", "queue", "gallery", "system"]);

/** @typedef {typeof VIEWS[number]} View */

/**
 * What an address shows. One that names no view of ours shows the first.
 *
 * @param {string} search the address from its "?" on
 * @returns {{ job: string | null, view: View }}
 */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  return { job: query.get("job"), view: knownView(query.get("view")) };
}

/** The two jobs that an address compares, null: it does not. @param {string} search the address from its "?" on @returns {[string, string] | null} */
export function readPair(search) {
  const [a, b, ...more] = (new URLSearchParams(search).get("compare") ?? "").split(".");
  return a && b && !more.length ? [a, b] : null;
}

/** @param {string | null | undefined} name @returns {View} */
export function knownView(name) {
  return VIEWS.find((view) => view === name) ?? "create";
}

/** @param {View} view @param {string | null} job its id @param {[string, string] | null} pair two jobs that are compared */
export function addressOf(view, job, pair = null) {
  const query = new URLSearchParams();
  if (view !== "create") query.set("view", view);
  if (job) query.set("job", job);
  if (pair) query.set("compare", pair.join("."));
  return query.size ? `./?${query}` : "./"; // relative: a reverse proxy may have put the page under a path
}

/**
 * Where to go after the login: only to a page of this place, for a link must not lead elsewhere.
 *
 * @param {string} here the login page's address
 */
export function afterLogin(here) {
  const { origin, searchParams } = new URL(here);
  const next = new URL(searchParams.get("next") ?? "./", here);
  return next.origin === origin ? next.href : "./"; // not its path: "//elsewhere" would lead away
}

/**
 * Whether the program knows under which path a reverse proxy shows the page; if not, the addresses that it gives lead
 * astray. The page's own are relative, and right under any path.
 *
 * @param {string} pathname of the page's address
 * @param {string} root the program's --root-path, "" when it has none
 */
export function isKnownPath(pathname, root) {
  const folder = folderOf(pathname);
  return folder === "/" || folder === `${root}/`;
}

/** The page's path up to its last slash. @param {string} pathname */
export function folderOf(pathname) {
  return pathname.slice(0, pathname.lastIndexOf("/") + 1);
}
