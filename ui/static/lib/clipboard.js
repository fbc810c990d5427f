// @ts-check
// Text into the clipboard.

import { t } from "./catalogue.js";
import { byId, h, toast } from "./dom.js";

/** Copy a text, and say so. @param {string} text @param {string} said when it is in the clipboard */
export async function copyText(text, said) {
  if (await written(text)) toast(said);
  else toast(t("log.not_copied"), "error");
}

/** Also on http://192.168…, where browsers hide navigator.clipboard. Whether it worked. @param {string} text */
async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const area = h("textarea", { value: text, class: "unseen", readOnly: true, "aria-hidden": true });
    byId("studio").append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return copied;
  }
}
