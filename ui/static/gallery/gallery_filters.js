// @ts-check
// The fields above the gallery that narrow it.

import { t } from "../lib/catalogue.js";
import { h, icon, ICONS } from "../lib/dom.js";
import { NO_FILTERS } from "./gallery_query.js";

/** @import { Filters } from "./gallery_query.js" */
/** @import { Options } from "../types.d.ts" */

const TYPING_MS = 250;

export class GalleryFilters {
  /** @param {Options} options @param {() => void} changed called when they are other ones, for text a moment after the last key */
  constructor(options, changed) {
    this.options = options;
    this.changed = changed;
    this.values = { ...NO_FILTERS };
    /** @type {number | undefined} */
    this.typing = undefined;
    this.text = h("input", { type: "search", class: "small" });
    this.text.addEventListener("input", () => this.set({ text: this.text.value.trim() }, TYPING_MS));
    this.model = this.select((model) => ({ model }));
    this.resolution = this.select((resolution) => ({ resolution }));
    this.days = this.select((days) => ({ days }));
    this.starred = h("button", { type: "button", class: "plain small icon star", onclick: () => this.set({ favourite: !this.values.favourite }) }, icon(ICONS.star));
    this.element = h("div", { class: "filters" }, this.text, this.model, this.resolution, this.days, this.starred);
  }

  /** @param {(value: string) => Partial<Filters>} of */
  select(of) {
    const select = h("select", { class: "small" });
    select.addEventListener("change", () => this.set(of(select.value)));
    return select;
  }

  /** @param {Partial<Filters>} values @param {number} [ms] to wait for more of them */
  set(values, ms = 0) {
    Object.assign(this.values, values);
    this.starred.setAttribute("aria-pressed", String(this.values.favourite));
    clearTimeout(this.typing);
    this.typing = setTimeout(this.changed, ms);
  }

  label() {
    this.text.placeholder = t("gallery.search");
    this.text.setAttribute("aria-label", t("gallery.search"));
    const same = (/** @type {{ name: string }[]} */ list) => list.map(({ name }) => /** @type {[string, string]} */ ([name, name]));
    choices(this.model, t("gallery.all_models"), [["", t("gallery.all_models")], ...same(this.options.models)]);
    choices(this.resolution, t("gallery.all_sizes"), [["", t("gallery.all_sizes")], ...same(this.options.resolutions)]);
    choices(this.days, t("gallery.days"), ["", "1", "7", "30"].map((days) => [days, t(`gallery.days_${days || "all"}`)]));
    for (const attribute of ["title", "aria-label"]) this.starred.setAttribute(attribute, t("gallery.favourites"));
  }
}

/** What a select offers, in words; what was chosen stays. @param {HTMLSelectElement} select @param {string} label @param {[string, string][]} items value and words each */
function choices(select, label, items) {
  const chosen = select.value;
  select.setAttribute("aria-label", label);
  select.replaceChildren(...items.map(([value, words]) => h("option", { value, selected: value === chosen }, words)));
}
