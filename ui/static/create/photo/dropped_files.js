// @ts-check
// Files that are dropped on the page or pasted into it, whatever view is shown.

import { t } from "../lib/catalogue.js";
import { byId, h, icon, ICONS, setText, show } from "../lib/dom.js";

/** What is shown over the whole page while files are held over it. */
export class DropOverlay {
  constructor() {
    this.words = h("b");
    this.more = h("span");
    this.element = h("div", { class: "let-go", "aria-hidden": "true", hidden: true }, h("div", {}, icon(ICONS.photo), this.words, this.more));
    byId("studio").append(this.element);
  }

  /** @param {boolean} yes whether there are files over the page */
  show(yes) {
    setText(this.words, t("photo.let_go"));
    setText(this.more, t("photo.let_go_more"));
    show(this.element, yes);
  }
}

/** @param {(files: File[]) => void} take @param {(yes: boolean) => void} over called while files are held over the page */
export function listenForFiles(take, over) {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
  let inside = false; // a picture or a row of this page is dragged: browsers offer it as a file, too
  document.addEventListener("dragstart", () => (inside = true));
  document.addEventListener("dragend", () => (inside = false));
  document.addEventListener("dragover", (event) => {
    if (inside || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
  document.addEventListener("drop", (event) => {
    over(false);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (inside || !files.length) return;
    event.preventDefault();
    take(files);
  });
}
