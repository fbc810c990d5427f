// @ts-check
// Banners above every view: no connection, a crashed worker, a message of the server.

import { crashWords } from "../job/recovery.js";
import { language, t } from "../lib/catalogue.js";
import { byId, find, h, icon, ICONS, setText, show, toast } from "../lib/dom.js";
import { call } from "../lib/net.js";
import { recall, remember } from "../lib/storage.js";

/** @import { Worker, Words } from "../types.d.ts" */

/** @param {string} sentence "": all is well */
export function trouble(sentence) {
  setText(byId("trouble"), sentence);
  show(byId("trouble"), Boolean(sentence));
}

/** @param {Worker | null} worker the crashed one */
export function drawCrash(worker) {
  const before = document.getElementById("crash");
  if (!worker) {
    before?.remove();
    return;
  }
  const box = before ?? h("div", { id: "crash", class: "banner crash", role: "alert" }, h("b"), h("p"), h("details", {}, h("summary"), h("pre")));
  const said = { b: t("worker.crash_title"), p: crashWords(worker), summary: t("worker.crash_output"), pre: worker.last_output };
  for (const [tag, words] of Object.entries(said)) setText(find(box, tag), words); // each by itself: what is read and has the focus stays
  if (!before) byId("trouble").after(box);
}

/** Shown until it is put away: for good by the machine's owner, by others for themselves. @param {Words} said @param {boolean} owns */
export function drawNotice(said, owns) {
  const box = byId("notice");
  show(box, Boolean(said.en) && recall("dismissed", "") !== said.en);
  if (box.dataset.text === said[language]) return; // written once: it is read aloud, and its button may have the focus
  box.dataset.text = said[language];
  const dismiss = async () => {
    try {
      if (owns) await call("studio/notice", { method: "DELETE" });
      else remember("dismissed", said.en);
      show(box, false);
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  };
  box.replaceChildren(h("span", {}, said[language]), h("button", { type: "button", class: "plain small icon", title: t("notice.dismiss"), "aria-label": t("notice.dismiss"), onclick: dismiss }, icon(ICONS.close)));
}
