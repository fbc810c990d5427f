// One catalogue for each language; the page's words come from here and nowhere else.

import { recall, remember } from "./dom.js";

export const LANGUAGES = { en: "English", ru: "Русский" };

let words = {};
let plural = new Intl.PluralRules("en");
export let language = "en";

function preferred() {
  const stored = recall("language", "");
  if (stored in LANGUAGES) return stored;
  const wanted = navigator.languages.map((name) => name.slice(0, 2).toLowerCase());
  return wanted.find((name) => name in LANGUAGES) ?? "en";
}

export async function loadLanguage(name = preferred()) {
  const answer = await fetch(`/studio/locales/${name}.json`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  words = await answer.json();
  language = name;
  plural = new Intl.PluralRules(name);
  document.documentElement.lang = name;
  translate(document);
}

const SILENT = "fanslymotion does not answer; trying again. · fanslymotion не отвечает, пробуем снова.";

/** Without words there is no page: try until they are here, and say so meanwhile. say(sentence or "") */
export async function insistOnLanguage(say) {
  for (;;) {
    try {
      await loadLanguage();
      say("");
      return;
    } catch {
      say(SILENT);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

export async function switchLanguage() {
  const names = Object.keys(LANGUAGES);
  const next = names[(names.indexOf(language) + 1) % names.length];
  await loadLanguage(next);
  remember("language", next);
  document.dispatchEvent(new CustomEvent("language"));
}

/** The text of `key`; `{name}` places are filled from `values`; with `n`, the plural form that the number needs. */
export function t(key, values = {}) {
  let text = words[key];
  if (text === undefined && values.n !== undefined) text = words[`${key}.${plural.select(values.n)}`] ?? words[`${key}.other`];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Whether the catalogue has this key: for words that come from the server (stages, levels). */
export function has(key) {
  return key in words;
}

export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
}

export function number(value, digits = 0) {
  return value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** Seconds as people say them: "40 s", "3 min 20 s", "1 h 5 min". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 100) return t("time.s", { s: whole });
  const minutes = Math.floor(whole / 60);
  if (minutes < 10) return t("time.ms", { m: minutes, s: whole % 60 });
  if (minutes < 60) return t("time.m", { m: Math.round(whole / 60) });
  return t("time.hm", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

/** Of files and downloads: 1 GB is 10⁹ bytes, as the hub says it. */
export function bytes(value, thousand = 1000) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (value >= thousand && at < units.length - 1) {
    value /= thousand;
    at += 1;
  }
  return `${number(value, at > 1 && value < 100 ? 1 : 0)} ${t(`unit.${units[at]}`)}`;
}

/** Of memory: 1 GB is 2³⁰ bytes, so that a card of 12 GB has 12. */
export function memory(value) {
  return bytes(value, 1024);
}

export function clock(unix) {
  return new Date(unix * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function when(unix) {
  return new Date(unix * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
}
