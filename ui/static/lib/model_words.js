// @ts-check
// What a model is for and what it can, in the same words in every list of models.

import { language, t } from "./catalogue.js";
import { h } from "./dom.js";
import { number } from "./format.js";

/** @import { ModelOption } from "../types.d.ts" */

/** Beside its name: that it is recommended, what it is for, that it is new here. @param {ModelOption} model */
export function tags({ recommended, purpose, trial }) {
  return [
    recommended && h("span", { class: "tag recommended" }, t("models.recommended")),
    purpose && h("span", { class: "tag" }, purpose[language]),
    trial && h("span", { class: "tag new" }, t("models.new")),
  ].filter((one) => one !== null && one !== false);
}

/** What it can that others cannot, in one line. @param {ModelOption} model */
export function abilities({ can }) {
  return can[language].join(" · ");
}

/** Whether it can be used now, and what is to be fetched where it cannot. @param {ModelOption} model */
export function whereabouts({ missing, absent, source, download_gb }) {
  if (!missing) return t(source === "hub" ? "models.here" : "system.ready");
  return absent ? t("models.to_get", { size: number(download_gb, 1) }) : t("models.incomplete");
}
