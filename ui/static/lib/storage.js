// @ts-check
// What this browser remembers between visits: a comfort only, and what is read may be anything.

/** @param {string} key @param {unknown} value anything that JSON can say */
export function remember(key, value) {
  try {
    localStorage.setItem(`fanslymotion.${key}`, JSON.stringify(value));
  } catch {
    // private windows may refuse
  }
}

/**
 * What was remembered, `otherwise` where nothing was.
 *
 * @template T
 * @param {string} key
 * @param {T} otherwise
 * @returns {T}
 */
export function recall(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`fanslymotion.${key}`) ?? "null") ?? otherwise;
  } catch {
    return otherwise;
  }
}
