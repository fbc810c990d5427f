// @ts-check
// Finished videos, loaded page by page, with delete and undo.

import { anyLeft, newOnes } from "../job/job_words.js";
import { anotherTake } from "../job/recovery.js";
import { t } from "../lib/catalogue.js";
import { childrenOf, find, focusOn, h, once, setText, show, toast } from "../lib/dom.js";
import { call } from "../lib/net.js";
import { GalleryFilters } from "./gallery_filters.js";
import { galleryQuery, narrowed } from "./gallery_query.js";
import { tile } from "./tile.js";

/** @import { ActiveJob, FinishedJob, Hooks, Machine, Options } from "../types.d.ts" */

/** @typedef {{ jobs: FinishedJob[], next: string }} FinishedPage */

const UNDO_MS = 7000;

export class GalleryView {
  /** @param {HTMLElement} root @param {Options} options @param {Hooks} hooks */
  constructor(root, options, hooks) {
    this.hooks = hooks;
    this.visible = false;
    /** @type {FinishedJob[]} */
    this.jobs = [];
    /** @type {ActiveJob[]} */
    this.active = [];
    /** @type {string | null} */
    this.next = null; // what the last page named as its end; null: nothing is known yet
    this.ended = false;
    this.failed = false;
    this.loading = false;
    this.asked = 0;
    /** @type {Map<string, { timer: number, box: HTMLElement }>} */
    this.leaving = new Map(); // by job id: what is about to be deleted
    this.title = h("h2");
    this.filters = new GalleryFilters(options, () => this.reload());
    this.grid = h("ul", { class: "gallery" });
    this.empty = h("p", { class: "nothing", hidden: true });
    this.more = h("button", { type: "button", class: "action more", onclick: () => this.load() });
    root.append(h("div", { class: "list-head" }, this.title, this.filters.element), this.empty, this.grid, this.more);
    new IntersectionObserver((seen) => seen[0].isIntersecting && this.visible && !this.failed && this.load()).observe(this.more);
    window.addEventListener("pagehide", () => this.flush());
    document.addEventListener("language", () => this.label());
    this.label();
  }

  label() {
    setText(this.title, t("gallery.title"));
    this.filters.label();
    this.draw();
  }

  /** @param {boolean} yes */
  shown(yes) {
    this.visible = yes;
    if (yes) this.reload();
  }

  /** A job that is gone from the line may be a new video. @param {Machine} state */
  machine({ active }) {
    const left = anyLeft(this.active, active);
    this.active = active;
    if (left && this.visible) this.renew();
  }

  /** From the beginning; what is shown stays until the answer is there. */
  reload() {
    this.next = null;
    this.ended = false;
    return this.load(true);
  }

  /** @param {string} after @returns {Promise<FinishedPage>} */
  ask(after) {
    return call(`studio/jobs?${galleryQuery(this.filters.values, after, Date.now() / 1000)}`);
  }

  async load(anew = this.next === null) {
    if ((this.loading && !anew) || this.ended) return;
    this.loading = true;
    const asked = (this.asked += 1);
    try {
      const found = await this.ask(anew ? "" : this.next ?? "");
      if (asked !== this.asked) return; // another filter has been chosen meanwhile
      if (anew) {
        this.jobs = [];
        this.grid.replaceChildren();
      }
      this.failed = false;
      this.next = found.next;
      this.ended = !found.next;
      this.jobs.push(...found.jobs);
      this.grid.append(...found.jobs.map((job) => this.tile(job)));
    } catch (refusal) {
      if (asked !== this.asked) return;
      this.failed = true;
      toast(refusal.message, "error");
    } finally {
      if (asked === this.asked) this.loading = false;
    }
    this.sift();
    if (!this.failed && !this.ended && this.visible && this.more.getBoundingClientRect().top < innerHeight) this.load();
  }

  /** Videos that are newer than what is shown come before it; the place in the list is kept. */
  async renew() {
    if (this.loading || this.next === null) return this.reload();
    const { asked } = this;
    const found = await this.ask("").catch(() => null); // the banner says what is wrong
    if (!found || asked !== this.asked) return;
    const fresh = newOnes(found.jobs, this.jobs);
    if (found.next && fresh.length === found.jobs.length) return this.reload(); // more than a page of them
    this.jobs.unshift(...fresh);
    this.grid.prepend(...fresh.map((job) => this.tile(job)));
    this.sift();
  }

  draw() {
    this.grid.replaceChildren(...this.jobs.map((job) => this.tile(job)));
    this.sift();
  }

  /** @param {FinishedJob} job */
  tile(job) {
    return tile(job, { take: once(() => anotherTake(job, this.hooks)), redo: () => this.hooks.redo(job), remove: () => this.remove(job) });
  }

  /** Hides what is about to be deleted, and says so when nothing is left. */
  sift() {
    const tiles = childrenOf(this.grid);
    for (const [at, one] of tiles.entries()) show(one, !this.leaving.has(this.jobs[at].id));
    setText(this.empty, t(narrowed(this.filters.values) ? "gallery.nothing" : "gallery.empty"));
    show(this.empty, this.ended && tiles.every((one) => one.hidden));
    setText(this.more, t(this.failed ? "action.again" : "gallery.more"));
    show(this.more, this.failed || Boolean(this.next));
  }

  /** Gone from sight at once, from the disk only when nobody has called it back, here or from another view. @param {FinishedJob} job */
  remove(job) {
    const box = toast(t("gallery.deleted", { name: job.name }), "info", UNDO_MS);
    const timer = setTimeout(() => this.finish(job.id), UNDO_MS);
    box.append(" ", h("button", { type: "button", class: "link", onclick: () => this.undo(job.id) }, t("gallery.undo")));
    this.leaving.set(job.id, { timer, box });
    const tiles = childrenOf(this.grid);
    const at = this.jobs.indexOf(job);
    this.sift();
    const next = [...tiles.slice(at), ...tiles.slice(0, at).reverse()].find((one) => !one.hidden);
    focusOn(next && find(next, ".over-tools .chip:last-child"));
  }

  /** @param {string} id */
  undo(id) {
    this.decided(id);
    this.sift();
    const back = childrenOf(this.grid).find((one) => one.dataset.id === id);
    focusOn(this.visible && back && find(back, ".cover"));
  }

  /** Whatever was decided: there is nothing to be called back any more. @param {string} id */
  decided(id) {
    const left = this.leaving.get(id);
    clearTimeout(left?.timer);
    left?.box.remove();
    this.leaving.delete(id);
  }

  /** @param {string} id */
  finish(id) {
    this.decided(id);
    const at = this.jobs.findIndex((job) => job.id === id);
    if (at >= 0) {
      this.jobs.splice(at, 1);
      this.grid.children[at]?.remove();
    }
    call(`studio/jobs/${id}`, { method: "DELETE", keepalive: true }).catch((refusal) => {
      if (refusal.status === 404) return; // another tab was quicker
      toast(refusal.message, "error");
      if (this.visible) this.reload();
    });
  }

  flush() {
    for (const id of [...this.leaving.keys()]) this.finish(id);
  }
}
