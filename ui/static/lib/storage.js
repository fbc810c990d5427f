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
 * What was remembered, `otherwise` where nothing of its kind was.
 *
 * @template T
 * @param {string} key
 * @param {T} otherwise
 * @returns {T}
 */
export function recall(key, otherwise) {
  try {
    const found = JSON.parse(localStorage.getItem(`fanslymotion.${key}`) ?? "null");
    return kind(found) === kind(otherwise) ? found : otherwise;
  } catch {
    return otherwise;
  }
}

/** @param {unknown} value */
function kind(value) {
  return Array.isArray(value) ? "list" : value === null ? "nothing" : typeof value;
}
