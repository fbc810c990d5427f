// @ts-check
// The jobs that failed or were cancelled: why, and what helps.

import { Deletions } from "../gallery/deletions.js";
import { clipSeconds, describe } from "../job/job_words.js";
import { recoveryActions } from "../job/recovery.js";
import { language, t } from "../lib/catalogue.js";
import { arrange, childrenOf, focusOn, h, icon, ICONS, setText, show, single } from "../lib/dom.js";
import { when } from "../lib/format.js";
import { call } from "../lib/net.js";
import { selectBox } from "../lib/selection_bar.js";

/** @import { Selection } from "../lib/selection.js" */
/** @import { Hooks, Job, Page } from "../types.d.ts" */

const PAGE = 20;
const MOST_A_REQUEST = 60;

export class Unfinished {
  /** @param {Hooks} hooks @param {(id: string, range: boolean) => void} select @param {() => void} loaded called when other rows are there */
  constructor(hooks, select, loaded) {
    this.hooks = hooks;
    this.toggle = select;
    this.loaded = loaded;
    this.asked = 0;
    this.count = PAGE; // so many are wanted
    this.behind = false; // the last question for them was not answered
    /** @type {Job[]} */
    this.jobs = [];
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map(); // kept while nothing of them changes: pictures do not flicker, what is selected stays
    this.deletions = new Deletions({ changed: () => this.draw(), gone: () => this.load(), back: (id) => this.focusDelete(id), refused: () => this.load() });
    this.title = h("h2");
    this.list = h("ul", { class: "jobs unfinished" });
    this.more = h("button", { type: "button", class: "action more", hidden: true, onclick: () => this.load(this.jobs.length + PAGE) });
    this.elements = [this.title, this.list, this.more];
    window.addEventListener("pagehide", () => this.deletions.flush());
  }

  label() {
    setText(this.title, t("queue.unfinished"));
    setText(this.more, t("gallery.more"));
  }

  /** The newest `count` of them; without it as many as were asked for last, which may not be here yet. */
  async load(count = this.count) {
    const asked = (this.asked += 1);
    this.count = count;
    /** @type {Job[]} */
    const jobs = [];
    let next = "";
    try {
      do {
        const query = new URLSearchParams({ kind: "unfinished", after: next, limit: String(Math.min(MOST_A_REQUEST, count - jobs.length)) });
        /** @type {Page} */
        const found = this.deletions.without(await call(`studio/jobs?${query}`));
        if (asked !== this.asked) return;
        this.behind = false;
        jobs.push(...found.jobs);
        next = found.next;
      } while (next && jobs.length < count);
    } catch {
      this.behind ||= asked === this.asked;
      return;
    }
    this.jobs = jobs;
    show(this.more, Boolean(next));
    this.draw();
  }

  /** Those that are not being deleted. */
  draw() {
    const jobs = this.jobs.filter(({ id }) => !this.deletions.has(id));
    show(this.title, jobs.length > 0);
    const before = this.rows;
    this.rows = new Map(jobs.map((job) => [rowKey(job), before.get(rowKey(job)) ?? this.row(job)]));
    this.keepFocus(() => {
      const wanted = new Set(this.rows.values());
      for (const row of childrenOf(this.list)) if (!wanted.has(row)) row.remove();
      arrange(this.list, [...wanted]);
    });
    this.loaded();
  }

  /** The ids of the rows, from above. */
  get ids() {
    return childrenOf(this.list).map((row) => row.dataset.job ?? "");
  }

  /** @param {Selection} selection */
  select(selection) {
    for (const row of childrenOf(this.list)) {
      const box = row.querySelector("input");
      if (box) box.checked = selection.has(row.dataset.job ?? "");
    }
  }

  /** @param {string[]} ids */
  removeMany(ids) {
    const [first] = this.jobs.filter(({ id }) => ids.includes(id));
    this.deletions.add(ids, ids.length > 1 || !first ? t("queue.deleted_many", { n: ids.length }) : t("gallery.deleted", { name: first.name }));
  }

  /** @param {string} id */
  focusDelete(id) {
    const row = childrenOf(this.list).find((one) => one.dataset.job === id);
    if (row?.checkVisibility()) controls(row).at(-1)?.focus();
  }

  /** While the rows are written anew: on the same control of the same job, or of the one that has taken its place. @param {() => void} write */
  keepFocus(write) {
    const rows = childrenOf(this.list);
    const focused = /** @type {HTMLElement} */ (document.activeElement);
    const at = rows.findIndex((row) => row.contains(focused));
    const id = rows[at]?.dataset.job;
    const fromEnd = at < 0 ? 0 : controls(rows[at]).indexOf(focused) - controls(rows[at]).length;
    write();
    if (at < 0 || focused.isConnected) return;
    const now = childrenOf(this.list);
    const row = now.find((one) => one.dataset.job === id) ?? now[at] ?? now.at(-1);
    focusOn(row && controls(row).at(fromEnd));
  }

  /** @param {Job} job */
  row(job) {
    const remove = single(() => this.removeMany([job.id]));
    const name = { data: { go: "create", job: job.id }, href: `./?job=${job.id}` };
    const said = job.diagnosis?.[language];
    return h("li", { class: `job-row ${job.status}`, data: { job: job.id } }, selectBox((range) => this.toggle(job.id, range), job.name),
      h("a", { class: "thumb", tabIndex: -1, "aria-hidden": true, ...name }, h("img", { src: job.poster, alt: "", loading: "lazy" })),
      h("div", { class: "row-words" }, h("a", { class: "name", title: job.name, ...name }, job.name),
        h("span", { class: "facts" }, [t(`now.${job.status}`), job.finished ? when(job.finished) : "", describe(job.settings, job.expected && clipSeconds(job.expected))].filter(Boolean).join(" · ")),
        said ? h("span", { class: "why" }, said.title) : "", said ? h("span", { class: "fix" }, h("b", {}, t("why.fix")), " ", said.fix) : "",
        h("div", { class: "mend" }, recoveryActions(job, this.hooks))),
      h("div", { class: "row-acts" },
        h("button", { type: "button", class: "plain icon", title: t("action.delete"), "aria-label": `${t("action.delete")}: ${job.name}`, onclick: remove }, icon(ICONS.trash))));
  }
}

/** What a row depends on. @param {Job} job */
function rowKey({ id, revision }) {
  return `${id} ${revision} ${language}`;
}

/** @param {HTMLElement} row @returns {HTMLElement[]} */
function controls(row) {
  return [...row.querySelectorAll("a, button")].map((one) => /** @type {HTMLElement} */ (one));
}
