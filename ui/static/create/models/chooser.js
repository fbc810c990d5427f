// @ts-check
// The choice of a model: all of them with what each is for, the recommended one first.

import { t } from "../../lib/catalogue.js";
import { byId, h, icon, ICONS, setText } from "../../lib/dom.js";
import { askModelCosts } from "../../lib/expected.js";
import { modelsQuery } from "../form_values.js";
import { ModelCard } from "./card.js";

/** @import { FormValues, Options, Photo } from "../../types.d.ts" */

/**
 * Open it.
 *
 * @param {Options} options
 * @param {FormValues} values
 * @param {Photo | undefined} photo the first
 * @param {(name: string) => void} choose
 */
export function openChooser(options, values, photo, choose) {
  const cards = options.models.map((model) => new ModelCard(model, options.owns_machine, choose));
  const about = h("p", { class: "quiet", id: "models-about" }, t("models.for", { seconds: values.seconds, size: values.resolution }));
  const dialog = h("dialog", { class: "models", "aria-labelledby": "models-title", "aria-describedby": "models-about" });
  const shut = h("button", { type: "button", class: "plain icon", title: t("compare.close"), "aria-label": t("compare.close"), onclick: () => dialog.close() }, icon(ICONS.close));
  dialog.append(h("form", { method: "dialog" },
    h("div", { class: "list-head" }, h("h2", { id: "models-title" }, t("models.title")), shut), about,
    h("div", { class: "model-cards", role: "radiogroup", "aria-labelledby": "models-title", tabIndex: -1 }, cards.map(({ element }) => element)),
    h("div", { class: "models-foot" }, h("p", { class: "quiet" }, options.models.some(({ trial }) => trial) ? t("models.new_note") : ""),
      h("button", { class: "action strong" }, t("models.done")))));
  for (const { radio, model } of cards) radio.checked = model.name === values.model;
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target === dialog || target.closest("a")) dialog.close(); // beside it, or a link to another view
    else if (event.detail && target.closest("label, input")) setTimeout(() => dialog.close()); // a pointer has chosen; keys go on
  });
  byId("studio").append(dialog);
  dialog.showModal();
  const chosen = cards.find(({ radio }) => radio.checked);
  chosen?.radio.focus();
  chosen?.element.scrollIntoView({ block: "nearest" });
  tellTimes(cards, about, modelsQuery(values, photo), values);
}

/** @param {ModelCard[]} cards @param {HTMLElement} about @param {string} query @param {FormValues} values */
async function tellTimes(cards, about, query, values) {
  const costs = await askModelCosts(query);
  for (const card of cards) card.tell(costs?.[card.model.name] ?? null);
  const device = Object.values(costs ?? {}).find((cost) => cost)?.device;
  if (device) setText(about, t(device === "cpu" ? "models.for_cpu" : "models.for_gpu", { seconds: values.seconds, size: values.resolution }));
}
