// @ts-check
// The line: what runs, what waits and in which order; below it what did not come to an end.

import { cancelMany } from "../gallery/many.js";
import { anyLeft } from "../job/job_words.js";
import { t } from "../lib/catalogue.js";
import { arrange, childrenOf, focusOn, h, icon, ICONS, setText, shorten, show, toast } from "../lib/dom.js";
import { duration } from "../lib/format.js";
import { call } from "../lib/net.js";
import { Selection } from "../lib/selection.js";
import { SelectionBar } from "../lib/selection_bar.js";
import { landsBefore, moveTarget, waitingOf } from "./moves.js";
import { QueueRow } from "./queue_row.js";
import { Unfinished } from "./unfinished.js";

/** @import { ActiveJob, Hooks, Machine, Options } from "../types.d.ts" */

export class QueueView {
  /** @param {HTMLElement} root @param {Options} options @param {Hooks} hooks */
  constructor(root, options, hooks) {
    this.root = root;
    this.mayPause = options.owns_machine;
    this.visible = false;
    this.listed = false; // what did not come to an end is known
    this.lost = false; // the program does not answer
    /** @type {Machine | null} */
    this.state = null;
    /** @type {ActiveJob[]} */
    this.active = [];
    /** @type {Map<string, QueueRow>} */
    this.rows = new Map();
    /** @type {Map<string, { to: number, answered: boolean }>} */
    this.moving = new Map(); // by job id: the index in the line that it is on its way to
    /** @type {Promise<unknown>} */
    this.asking = Promise.resolve();
    /** @type {string | null} */
    this.dragged = null; // the job's id
    this.title = h("h2");
    this.pauseButton = h("button", { type: "button", class: "action", id: "pause", hidden: true, onclick: () => this.pause() });
    this.pausedNote = h("span", { class: "paused-note" });
    this.list = h("ol", { class: "jobs" });
    this.empty = h("p", { class: "nothing", hidden: true });
    this.selection = new Selection(() => this.drawSelection());
    this.unfinished = new Unfinished(hooks, (id, range) => this.selection.toggle(id, range, this.order()), () => this.drawSelection());
    const waits = (/** @type {string} */ id) => this.rows.has(id);
    this.bar = new SelectionBar(this.selection, () => this.order(), [
      { name: "cancel", path: ICONS.close, act: (ids) => cancelMany(ids.filter(waits)), fits: (ids) => ids.some(waits) },
      { name: "delete", path: ICONS.trash, act: (ids) => this.unfinished.removeMany(ids.filter((id) => !waits(id))), fits: (ids) => !ids.every(waits) },
    ]);
    this.total = h("p", { class: "facts queue-total" });
    this.behind = h("p", { class: "facts queue-behind", hidden: true });
    root.append(h("div", { class: "list-head" }, this.title, this.pausedNote, this.pauseButton), this.total, this.empty, this.list, this.behind, ...this.unfinished.elements, this.bar.element);
    this.list.addEventListener("dragover", (event) => this.dragged && event.preventDefault());
    document.addEventListener("language", () => this.label());
    this.label();
  }

  label() {
    setText(this.title, t("queue.title"));
    setText(this.empty, t("queue.empty"));
    this.unfinished.label();
    this.rows.clear();
    this.list.replaceChildren();
    if (this.state) this.machine(this.state);
    if (this.visible) this.unfinished.load();
  }

  /** @param {boolean} yes */
  shown(yes) {
    this.visible = yes;
    if (!yes) return;
    this.unfinished.load().then(() => {
      this.listed = true;
      this.filled();
    });
  }

  /** Show the lists, once both of them are known. */
  filled() {
    if (this.state && this.listed) this.root.classList.remove("filling");
  }

  /** Whether the program answers. @param {boolean} yes */
  reached(yes) {
    if (yes !== this.lost) return;
    this.lost = !yes;
    if (this.state) this.machine(this.state);
  }

  /** @param {Machine} state the newest */
  machine(state) {
    const left = anyLeft(this.active, state.active);
    this.state = state;
    this.active = state.active;
    show(this.pauseButton, this.mayPause);
    setText(this.pausedNote, state.paused ? t("worker.paused") : "");
    this.pauseButton.classList.toggle("strong", state.paused);
    const pause = t(state.paused ? "queue.resume" : "queue.pause");
    if (this.pauseButton.textContent !== pause) this.pauseButton.replaceChildren(icon(state.paused ? ICONS.play : ICONS.pause), h("span", {}, pause));
    show(this.empty, state.active.length === 0);
    const waiting = waitingOf(state.active);
    for (const [id, { to, answered }] of this.moving) if (answered || waiting[to]?.id === id) this.moving.delete(id);
    this.drawRows(state.active.map((job) => this.row(job, waiting, state.paused)));
    for (const id of this.rows.keys()) if (!state.active.some((job) => job.id === id)) this.rows.delete(id);
    const ends = state.active.map(({ starts_in, takes, status }) => (takes === null || (starts_in === null && status === "queued") ? null : (starts_in ?? 0) + takes));
    const known = /** @type {number[]} */ (ends.filter((end) => end !== null));
    setText(this.behind, t("queue.behind", { n: state.unlisted }));
    show(this.behind, state.unlisted > 0);
    setText(this.total, ends.length > 1 && known.length === ends.length && !state.unlisted ? t("queue.total", { n: ends.length, time: duration(Math.max(...known)) }) : "");
    if ((left || this.unfinished.behind) && this.visible) this.unfinished.load();
    this.drawSelection();
    this.filled();
  }

  /** The ids of all rows, from above. */
  order() {
    return [...this.active.map(({ id }) => id), ...this.unfinished.ids];
  }

  drawSelection() {
    const order = this.order();
    this.selection.keep(order);
    for (const [id, row] of this.rows) row.box.checked = this.selection.has(id);
    this.unfinished.select(this.selection);
    this.bar.draw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return this.bar.key(event);
  }

  /** @param {QueueRow[]} wanted */
  drawRows(wanted) {
    const focused = document.activeElement;
    const place = childrenOf(this.list).findIndex((row) => row.contains(focused));
    arrange(this.list, wanted.map((row) => row.element));
    this.refocus(focused);
    shorten(this.list, wanted.length);
    if (focused && !focused.isConnected && place >= 0) focusOn((wanted[place] ?? wanted.at(-1))?.cancel);
  }

  /** A row that has moved lost the focus, and so did the button that is of no use at the end of the line. @param {Element | null} focused */
  refocus(focused) {
    const element = focused?.closest(".job-row");
    const row = [...this.rows.values()].find((one) => one.element === element);
    if (!row || !this.list.contains(row.element)) return;
    const control = /** @type {HTMLButtonElement} */ (focused); // or a link, which is never disabled
    const other = control === row.down ? row.up : row.down;
    (control.disabled && !other.disabled ? other : control).focus();
  }

  /** One a job, kept while it lives. @param {ActiveJob} job @param {ActiveJob[]} waiting @param {boolean} paused */
  row(job, waiting, paused) {
    let row = this.rows.get(job.id);
    if (!row) {
      row = new QueueRow(job, { move: (by) => this.move(job.id, by), cancel: () => this.cancel(job.id), select: (range) => this.selection.toggle(job.id, range, this.order()) });
      this.letDrag(row.element, job.id);
      this.rows.set(job.id, row);
    }
    row.draw(job, waiting, paused, this.lost);
    return row;
  }

  /** @param {HTMLElement} row @param {string} id of its job */
  letDrag(row, id) {
    row.addEventListener("dragstart", () => { this.dragged = id; row.classList.add("dragged"); });
    row.addEventListener("dragend", () => { this.land(null); this.dragged = null; row.classList.remove("dragged"); });
    row.addEventListener("dragover", () => this.dragged && this.land(row));
    row.addEventListener("drop", (event) => { event.preventDefault(); this.drop(id); });
  }

  /** One after the other, from where its last move takes it, which the newest state may not show yet. @param {string} id @param {number} by so many places */
  async move(id, by) {
    const waiting = waitingOf(this.active);
    const from = this.moving.get(id)?.to ?? waiting.findIndex((job) => job.id === id);
    const to = moveTarget(from, by, waiting.length);
    if (to === null) return;
    const way = { to, answered: false };
    this.moving.set(id, way);
    const answer = this.asking.then(() => this.ask(`studio/jobs/${id}/move`, { place: waiting[to].place }));
    this.asking = answer;
    if (await answer) way.answered = true;
    else if (this.moving.get(id) === way) this.moving.delete(id); // it stays where it is
  }

  /** Show where what is dragged would go. @param {HTMLElement | null} row that it is held over */
  land(row) {
    for (const one of this.list.children) one.classList.remove("lands-before", "lands-after");
    const target = row?.dataset.id;
    if (!row || !target || !this.dragged || target === this.dragged) return;
    row.classList.add(landsBefore(this.active, target, this.dragged) ? "lands-before" : "lands-after");
  }

  /** @param {string} target the job of the row that it lands on */
  async drop(target) {
    const id = this.dragged;
    const other = this.active.find((job) => job.id === target);
    if (!id || id === target || !other) return;
    await this.ask(`studio/jobs/${id}/move`, { place: Math.max(1, other.place) });
  }

  /** @param {string} id */
  cancel(id) {
    return this.ask(`studio/jobs/${id}/cancel`);
  }

  pause() {
    return this.ask(`studio/queue/${this.state?.paused ? "resume" : "pause"}`);
  }

  /** Whether it was done. @param {string} path @param {unknown} [body] */
  async ask(path, body) {
    try {
      await call(path, { method: "POST", body });
      return true;
    } catch (refusal) {
      toast(refusal.message, "error");
      return false;
    }
  }
}
