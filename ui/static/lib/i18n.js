// @ts-check
// Load a language's words from the server, and write them into the page's markup.

import { nextLanguage, preferredLanguage, t, useCatalogue } from "./catalogue.js";
import { recall, remember } from "./storage.js";

/** @import { Language } from "../types.d.ts" */

const EDITION = /\/@(\w+)\//.exec(import.meta.url)?.[1]; // of the files, where the page's document names it

/** @param {Language} name */
async function loadLanguage(name) {
  const answer = await fetch(`studio/locales/${name}.json${EDITION ? `?v=${EDITION}` : ""}`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  useCatalogue(name, await answer.json());
  document.documentElement.lang = name;
  translate(document);
}

const SILENT = "fanslymotion does not answer; trying again. · fanslymotion не отвечает, пробуем снова.";

/** Without words there is no page: try until they are here, and say so meanwhile. @param {(sentence: string) => void} say "": all is well */
export async function insistOnLanguage(say) {
  for (;;) {
    try {
      await loadLanguage(preferredLanguage(recall("language", ""), navigator.languages));
      say("");
      return;
    } catch {
      say(SILENT);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

export async function switchLanguage() {
  const next = nextLanguage();
  await loadLanguage(next);
  remember("language", next);
  document.dispatchEvent(new CustomEvent("language"));
}

/** @param {ParentNode} root */
function translate(root) {
  for (const element of dataset(root, "[data-t]")) element.textContent = t(element.dataset.t ?? "");
  for (const element of dataset(root, "[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel ?? ""));
}

/** @param {ParentNode} root @param {string} selector @returns {NodeListOf<HTMLElement>} */
function dataset(root, selector) {
  return root.querySelectorAll(selector);
}
