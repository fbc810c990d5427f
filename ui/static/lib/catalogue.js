// @ts-check
// The words of the language that is shown; the page's words come from here and nowhere else.

/** @import { Language } from "../types.d.ts" */

/** @type {Record<Language, string>} */
export const LANGUAGES = { en: "English", ru: "Русский" };

export const NAMES = /** @type {Language[]} */ (Object.keys(LANGUAGES));

/** @type {Record<string, string>} */
let words = {};
let plural = new Intl.PluralRules("en");
/** @type {Language} */
export let language = "en";

/** From now on `name` is the language that is shown. @param {Language} name @param {Record<string, string>} catalogue its words by key */
export function useCatalogue(name, catalogue) {
  words = catalogue;
  language = name;
  plural = new Intl.PluralRules(name);
}

/** The language that a click on the switch goes to. */
export function nextLanguage() {
  return NAMES[(NAMES.indexOf(language) + 1) % NAMES.length];
}

/**
 * The language to begin with: the stored one, or the first that the browser asks for and the page has.
 *
 * @param {string} stored "" where none is
 * @param {readonly string[]} wanted as the browser names them ("ru-RU"), best first
 * @returns {Language}
 */
export function preferredLanguage(stored, wanted) {
  const short = wanted.map((name) => name.slice(0, 2).toLowerCase());
  for (const name of [stored, ...short]) {
    const known = NAMES.find((one) => one === name);
    if (known) return known;
  }
  return "en";
}

/**
 * The text of `key`; `{name}` places are filled from `values`; with `n`, the plural form that the number needs.
 *
 * @param {string} key
 * @param {Record<string, unknown> & { n?: number }} [values]
 */
export function t(key, values = {}) {
  let text = words[key];
  if (text === undefined && values.n !== undefined) text = words[`${key}.${plural.select(values.n)}`] ?? words[`${key}.other`];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** Whether the catalogue has this key: for words that come from the server (stages, levels). @param {string} key */
export function has(key) {
  return key in words;
}
