// @ts-check
// What can be done with several items at once, at the foot of their list while some are selected.

import { t } from "./catalogue.js";
import { h, icon, ICONS, once, setText, show } from "./dom.js";

/** A button: what it does with the selected ids, and whether it can. @typedef {{ name: string, path: string, act: (ids: string[]) => unknown, fits?: (ids: string[]) => boolean }} BarAct */

export class SelectionBar {
  /** @param {import("./selection.js").Selection} selection @param {() => string[]} order the list's ids @param {BarAct[]} acts */
  constructor(selection, order, acts) {
    this.selection = selection;
    this.order = order;
    this.acts = acts.map((act) => ({ ...act, words: h("span"), button: h("button", { type: "button", class: "action", data: { many: act.name }, onclick: once(() => act.act(selection.inOrder(order()))) }) }));
    for (const { button, path, words } of this.acts) button.append(icon(path), words);
    this.count = h("b");
    this.all = h("button", { type: "button", class: "link", onclick: () => selection.all(order()) });
    this.none = h("button", { type: "button", class: "plain icon", onclick: () => selection.clear() }, icon(ICONS.close));
    this.element = h("div", { class: "selection-bar", role: "toolbar", hidden: true }, this.count, this.all, ...this.acts.map(({ button }) => button), this.none);
  }

  draw() {
    const { size } = this.selection;
    show(this.element, size > 0);
    this.element.setAttribute("aria-label", t("many.title"));
    setText(this.count, t("many.count", { n: size }));
    setText(this.all, t("many.all"));
    show(this.all, size < this.order().length);
    for (const attribute of ["title", "aria-label"]) this.none.setAttribute(attribute, t("many.none"));
    const chosen = this.selection.inOrder(this.order());
    for (const { name, words, button, fits } of this.acts) {
      setText(words, t(`many.${name}`));
      show(button, !fits || fits(chosen));
    }
  }

  /** Ctrl+A, Escape, Delete, while its list is shown. Whether the key was for it. @param {KeyboardEvent} event @param {string} [remove] what Delete does */
  key(event, remove) {
    if ((event.ctrlKey || event.metaKey) && event.key === "a") this.selection.all(this.order());
    else if (event.key === "Escape" && this.selection.size) this.selection.clear();
    else if (event.key === "Delete" && this.selection.size && remove) this.acts.find(({ name }) => name === remove)?.act(this.selection.inOrder(this.order()));
    else return false;
    event.preventDefault();
    return true;
  }
}

/** A box that selects an item. @param {(range: boolean) => void} toggle @param {string} name of the item */
export function selectBox(toggle, name) {
  const box = h("input", { type: "checkbox", class: "select-box", "aria-label": t("many.select", { name }) });
  box.addEventListener("click", (event) => toggle(event.shiftKey)); // Space is a click, too
  return box;
}
