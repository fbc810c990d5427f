// @ts-check
// The star of a video: the same in the gallery and on the video's own page.

import { t } from "../lib/catalogue.js";
import { h, icon, ICONS, once, toast } from "../lib/dom.js";
import { call } from "../lib/net.js";

/** @param {{ id: string, name: string, favourite: boolean }} job gets the new state @param {string} kind the button's class */
export function favour(job, kind) {
  const button = h("button", { type: "button", class: kind, data: { action: "favourite" }, onclick: once(async () => {
    try {
      Object.assign(job, await call(`studio/jobs/${job.id}/favourite`, { method: "POST", body: { favourite: !job.favourite } }));
      label();
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  }) }, icon(ICONS.star));
  const label = () => {
    button.setAttribute("aria-pressed", String(job.favourite));
    button.title = t("action.favourite");
    button.setAttribute("aria-label", `${t("action.favourite")}: ${job.name}`);
  };
  label();
  return button;
}
