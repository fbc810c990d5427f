// @ts-check
// A model that lies on this computer already: its folder is named, nothing is copied.

import { t } from "../lib/catalogue.js";
import { find, h, icon, ICONS, setText, show, toast } from "../lib/dom.js";
import { call } from "../lib/net.js";

/** @import { Model } from "../types.d.ts" */

export class OwnFolder {
  /** @param {boolean} owns whether the machine is one's own @param {(models: Model[]) => void} tell called with all models when one is added */
  constructor(owns, tell) {
    this.tell = tell;
    this.input = h("input", { id: "own-folder", type: "text", maxLength: 4096, autocomplete: "off", spellcheck: false });
    this.title = h("summary");
    this.words = h("label", { htmlFor: "own-folder" });
    this.button = h("button", { type: "submit", class: "action" }, icon(ICONS.check), h("span"));
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    const form = h("form", { class: "own-folder", onsubmit: (event) => this.use(event) }, this.words, h("div", {}, this.input, this.button), this.problem);
    this.element = h("details", { hidden: !owns }, this.title, form);
  }

  label() {
    setText(this.title, t("system.folder"));
    setText(this.words, t("system.folder_help"));
    setText(find(this.button, "span"), t("system.folder_use"));
  }

  /** @param {SubmitEvent} event */
  async use(event) {
    event.preventDefault();
    if (this.button.hasAttribute("aria-busy")) return;
    this.button.setAttribute("aria-busy", "true");
    show(this.problem, false);
    try {
      const { name, models } = await call("studio/models", { method: "POST", body: { folder: this.input.value.trim() } });
      this.input.value = "";
      this.tell(models);
      toast(t("system.folder_used", { name }));
    } catch (refusal) {
      setText(this.problem, refusal.message);
      show(this.problem, true);
    } finally {
      this.button.removeAttribute("aria-busy");
    }
  }
}
