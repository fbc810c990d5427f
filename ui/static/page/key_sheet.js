// @ts-check
// One sheet that lists the keyboard.

import { t } from "../lib/catalogue.js";
import { byId, h, icon, ICONS } from "../lib/dom.js";
import { commandKey } from "../lib/keyboard.js";

/** Views, and in each the keys with the words for what they do. @type {[string, [string, string][]][]} */
const KEYS = [
  ["keys.everywhere", [["?", "keys.sheet"], ["Ctrl Enter", "keys.generate"]]],
  ["keys.video", [["← →", "keys.neighbour"], ["Esc", "keys.back"]]],
  ["keys.lists", [["Space", "keys.select"], ["Shift Space", "keys.range"], ["Ctrl A", "keys.all"], ["Del", "keys.delete"], ["Esc", "keys.none"]]],
  ["keys.compare", [["Space", "keys.play"], ["← →", "keys.frame"], ["S", "keys.swap"], ["D", "keys.divide"], ["Esc", "keys.back"]]],
];

export function toggleSheet() {
  const open = /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog.keys"));
  if (open) open.close();
  else show();
}

function show() {
  const sheet = h("dialog", { class: "keys", "aria-label": t("keys.title") });
  const close = () => sheet.close(); // the focus goes back to where it was
  sheet.addEventListener("close", () => sheet.remove());
  sheet.addEventListener("click", (event) => event.target === sheet && close());
  sheet.addEventListener("keydown", (event) => {
    if (event.key !== "?") return;
    event.stopPropagation(); // the page would open it anew
    close();
  });
  const shut = h("button", { type: "button", class: "plain icon", title: t("compare.close"), "aria-label": t("compare.close"), onclick: close }, icon(ICONS.close));
  sheet.append(h("div", { class: "list-head" }, h("h2", {}, t("keys.title")), shut),
    h("div", { class: "key-groups" }, KEYS.map(([title, rows]) => h("section", {}, h("h3", {}, t(title)),
      h("dl", {}, rows.flatMap(([key, words]) => [h("dt", {}, key.replace("Ctrl", commandKey(navigator.platform)).split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, t(words))]))))));
  byId("studio").append(sheet);
  sheet.showModal();
}
