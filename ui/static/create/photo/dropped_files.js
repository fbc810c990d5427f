// @ts-check
// Files and folders that are dropped on the page, files that are pasted into it, in every view.

import { t } from "../../lib/catalogue.js";
import { byId, h, icon, ICONS, setText, show, toast } from "../../lib/dom.js";
import { filesOf } from "./folders.js";

/** What is shown over the whole page while files are held over it. */
export class DropOverlay {
  constructor() {
    this.words = h("b");
    this.more = h("span");
    this.last = h("b");
    this.toLast = h("div", { class: "to-last" }, icon(ICONS.photo), this.last);
    this.element = h("div", { class: "let-go", "aria-hidden": "true", hidden: true }, h("div", {}, icon(ICONS.photo), this.words, this.more), this.toLast);
    byId("studio").append(this.element);
  }

  /** @param {boolean} yes whether there are files over the page @param {boolean} last whether one can be the last picture */
  show(yes, last) {
    setText(this.words, t("photo.let_go"));
    setText(this.more, t("photo.let_go_more"));
    setText(this.last, t("photo.let_go_last"));
    show(this.toLast, last);
    show(this.element, yes);
  }
}

const LAST = ".last-box, .to-last";

/** Whether something stands where the last picture has its place. @param {EventTarget | null} target */
function isLast(target) {
  return target instanceof Element && target.closest(LAST) !== null;
}

/** Whether words are pasted into a field: office programs put a picture of them beside them. @param {ClipboardEvent} event */
function isText({ clipboardData, target }) {
  return target instanceof Element && target.matches("textarea, input") && Boolean(clipboardData?.types.includes("text/plain"));
}

/** @param {(files: File[], last: boolean) => void} take last: they were let go where the last picture has its place @param {(yes: boolean) => void} over called while files are held over the page */
export function listenForFiles(take, over) {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || isText(event)) return;
    event.preventDefault();
    take(files, isLast(document.activeElement));
  });
  let inside = false; // a picture or a row of this page is dragged: browsers offer it as a file, too
  document.addEventListener("dragstart", ({ target }) => {
    inside = true;
    target?.addEventListener("dragend", () => (inside = false), { once: true }); // on itself: it may have left the page by then
  });
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
    const last = isLast(event.target);
    const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
    if (!entries.some((entry) => entry.isDirectory)) return take(files, last);
    filesOf(entries).then((found) => (found.length ? take(found, last) : toast(t("photo.empty_folder"), "error")), () => toast(t("photo.unread_folder"), "error"));
  });
}
