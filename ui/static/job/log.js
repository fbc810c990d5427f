// @ts-check
// The job's log: live, escaped, coloured by level, with filter, search, follow, copy and download.

import { t } from "../lib/catalogue.js";
import { copyText } from "../lib/clipboard.js";
import { childrenOf, find, h, icon, ICONS, setText, show } from "../lib/dom.js";
import { clock } from "../lib/format.js";
import { recall, remember } from "../lib/storage.js";

/** @import { Event as JobEvent } from "../types.d.ts" */

const MOST_LINES = 3000;
const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR"];
const NEAR_END = 24;

export class Log {
  /** @type {HTMLDetailsElement} */
  element;

  constructor() {
    this.last = 0;
    this.folded = false; // for a video that is done; opening it by hand counts for this video alone
    this.at = 0;
    this.lines = h("div", { class: "lines", role: "log", "aria-live": "off", tabIndex: 0, onscroll: () => this.scrolled() });
    this.level = h("select", { class: "small", onchange: () => this.filter() });
    this.search = h("input", { type: "search", class: "small", oninput: () => this.filter() });
    this.followBox = h("input", { type: "checkbox", checked: true, onchange: () => this.follow() });
    this.followText = h("span");
    this.copyButton = h("button", { type: "button", class: "plain small icon", onclick: () => this.copy() }, icon(ICONS.copy));
    this.download = h("a", { class: "plain small icon", role: "button" }, icon(ICONS.download));
    this.title = h("span");
    this.element = h("details", { class: "log", open: recall("log", true), ontoggle: () => { if (!this.folded) remember("log", this.element.open); } },
      h("summary", {}, this.title, this.count = h("span", { class: "quiet" })),
      h("div", { class: "log-tools" }, this.level, this.search, h("label", { class: "check" }, this.followBox, this.followText), this.copyButton, this.download),
      this.lines);
    this.label();
  }

  label() {
    setText(this.title, t("log.title"));
    setText(this.followText, t("log.follow"));
    this.lines.setAttribute("aria-label", t("log.title"));
    this.search.placeholder = t("log.search");
    this.search.setAttribute("aria-label", t("log.search"));
    this.level.setAttribute("aria-label", t("log.level"));
    const chosen = this.level.value || "DEBUG";
    this.level.replaceChildren(...LEVELS.map((level) => h("option", { value: level, selected: level === chosen }, t(`log.${level.toLowerCase()}`))));
    for (const [element, key] of /** @type {[HTMLElement, string][]} */ ([[this.copyButton, "log.copy"], [this.download, "log.download"]])) {
      element.title = t(key);
      element.setAttribute("aria-label", t(key));
    }
  }

  /** @param {boolean} yes */
  fold(yes) {
    this.folded = yes;
    this.element.open = !yes && recall("log", true);
  }

  /** @param {string | null} job the id of the one whose log comes next */
  clear(job) {
    this.last = 0;
    this.lines.replaceChildren();
    this.followBox.checked = true;
    if (job) this.download.href = `studio/jobs/${job}/log`;
    setText(this.count, "");
  }

  /** In order, of every kind; those already shown are skipped. @param {JobEvent[]} lines */
  add(lines) {
    const fresh = lines.filter(([id, , kind]) => id > this.last && kind === "log");
    this.last = Math.max(this.last, ...lines.map(([id]) => id));
    if (!fresh.length) return;
    const part = document.createDocumentFragment();
    for (const [, time, , level, text] of fresh) part.append(this.line(time, level, String(text)));
    this.lines.append(part);
    while (this.lines.childElementCount > MOST_LINES) this.lines.firstElementChild?.remove();
    setText(this.count, String(this.lines.childElementCount));
    this.follow();
  }

  /** @param {number} time @param {string} level @param {string} text */
  line(time, level, text) {
    const [first, ...more] = text.split("\n");
    const row = h("div", { class: `line ${level.toLowerCase()}`, data: { level } }, h("time", {}, clock(time)), h("span", {}, first));
    if (more.length) {
      const title = more.some((other) => other.startsWith("Traceback")) ? "Traceback" : t("log.more", { n: more.length });
      row.append(h("details", {}, h("summary", {}, title), h("pre", {}, more.join("\n"))));
    }
    this.sift(row);
    return row;
  }

  /** @param {HTMLElement} row */
  sift(row) {
    const level = LEVELS.indexOf(row.dataset.level ?? "");
    const high = level < 0 || level >= LEVELS.indexOf(this.level.value || "DEBUG"); // CRITICAL and the like always show
    show(row, high && (row.textContent ?? "").toLowerCase().includes(this.search.value.trim().toLowerCase()));
  }

  filter() {
    for (const row of childrenOf(this.lines)) this.sift(row);
    this.follow();
  }

  follow() {
    if (this.followBox.checked) this.lines.scrollTop = this.lines.scrollHeight;
  }

  /** Scrolling up stops following; back at the end it goes on. */
  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.lines;
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) this.followBox.checked = true;
    else if (scrollTop < this.at) this.followBox.checked = false; // new lines also move the end away
    this.at = scrollTop;
  }

  async copy() {
    const shown = childrenOf(this.lines).filter((row) => !row.hidden);
    const text = shown.map((row) => [find(row, "span"), row.querySelector("pre")].map((part) => part?.textContent).filter((part) => part !== undefined).join("\n")).join("\n");
    await copyText(text, t("log.copied"));
  }
}
