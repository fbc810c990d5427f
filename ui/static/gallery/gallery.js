// @ts-check
// Finished videos, loaded page by page, those of one photo together; several can be selected.

import { anyLeft, newOnes } from "../job/job_words.js";
import { anotherTake } from "../job/recovery.js";
import { t } from "../lib/catalogue.js";
import { arrange, find, focusOn, h, ICONS, once, setText, show, shorten, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { call } from "../lib/net.js";
import { Selection } from "../lib/selection.js";
import { SelectionBar } from "../lib/selection_bar.js";
import { download } from "../save/making.js";
import { Deletions } from "./deletions.js";
import { GalleryFilters } from "./gallery_filters.js";
import { galleryQuery, merged, narrowed } from "./gallery_query.js";
import { favourMany, zipAddresses } from "./many.js";
import { apart, byPhoto, differing, withNext } from "./same_photo.js";
import { Tile } from "./tile.js";

/** @import { ActiveJob, FinishedJob, Hooks, Machine, Options } from "../types.d.ts" */

/** @typedef {{ jobs: FinishedJob[], next: string, total: number }} FinishedPage */

export class GalleryView {
  /** @param {HTMLElement} root @param {Options} options @param {Hooks} hooks */
  constructor(root, options, hooks) {
    this.hooks = hooks;
    this.options = options;
    this.visible = false;
    this.place = 0; // how far it was scrolled when it was left
    /** @type {FinishedJob[]} */
    this.jobs = []; // as they stand
    /** @type {Map<string, Tile>} */
    this.tiles = new Map();
    /** @type {ActiveJob[]} */
    this.active = [];
    /** @type {string | null} */
    this.next = null; // what the last page named as its end; null: nothing is known yet
    this.total = 0;
    this.ended = false;
    this.failed = false;
    this.loading = false;
    this.asked = 0;
    this.begun = 0; // how often it was loaded from the beginning
    this.behind = false; // what is new is to be asked for, or the last question for it was not answered
    this.deletions = new Deletions({ changed: () => this.sift(), gone: (ids) => this.drop(ids), back: (id) => this.visible && this.tiles.get(id)?.cover.focus(), refused: () => this.visible && this.reload() });
    this.title = h("h2");
    this.filters = new GalleryFilters(options, () => this.reload());
    this.grid = h("ul", { class: "gallery" });
    this.empty = h("p", { class: "nothing", hidden: true });
    this.more = h("button", { type: "button", class: "action more", onclick: () => this.load() });
    this.selection = new Selection(() => this.drawSelection());
    this.bar = new SelectionBar(this.selection, () => this.order(), [
      { name: "compare", path: ICONS.compare, act: ([a, b]) => hooks.compare([a, b]), fits: ({ length }) => length === 2 },
      { name: "favourite", path: ICONS.star, act: (ids) => this.favour(ids) },
      { name: "zip", path: ICONS.download, act: (ids) => { for (const address of zipAddresses(ids)) download(address); } },
      { name: "delete", path: ICONS.trash, act: (ids) => this.remove(ids) },
    ]);
    this.element = h("div", {}, h("div", { class: "list-head" }, this.title, this.filters.element), this.empty, this.grid, this.more, this.bar.element);
    root.append(this.element);
    new IntersectionObserver((seen) => seen[0].isIntersecting && this.visible && !this.failed && this.load()).observe(this.more);
    window.addEventListener("scroll", () => { if (this.visible) this.place = scrollY; });
    window.addEventListener("pagehide", () => this.deletions.flush());
    document.addEventListener("language", () => this.label());
    this.label();
  }

  label() {
    this.filters.label();
    this.tiles.clear();
    this.grid.replaceChildren();
    this.draw();
  }

  /** @param {boolean} yes */
  shown(yes) {
    const back = yes && !this.visible;
    this.visible = yes;
    if (yes) this.renew();
    if (back) scrollTo(0, this.place);
  }

  /** A job that is gone from the line may be a new video. @param {Machine} state */
  machine({ active }) {
    const left = anyLeft(this.active, active);
    this.active = active;
    if ((left || this.behind) && this.visible) this.renew();
  }

  /** From the beginning; what is shown stays until the answer is there. */
  reload() {
    this.next = null;
    this.ended = false;
    return this.load(true);
  }

  /** @param {string} after @returns {Promise<FinishedPage>} */
  async ask(after) {
    return this.deletions.without(await call(`studio/jobs?${galleryQuery(this.filters.values, after)}`));
  }

  async load(anew = this.next === null) {
    if ((this.loading && !anew) || this.ended) return;
    this.loading = true;
    const asked = (this.asked += 1);
    if (anew) this.begun += 1;
    try {
      const found = await this.ask(anew ? "" : this.next ?? "");
      if (asked !== this.asked) return; // another filter has been chosen meanwhile
      this.failed = false;
      this.next = found.next;
      this.total = found.total;
      this.ended = !found.next;
      const newest = merged(found.jobs, this.jobs, (id) => this.tiles.delete(id));
      this.jobs = anew ? newest : [...this.jobs, ...newOnes(newest, this.jobs)];
    } catch (refusal) {
      if (asked !== this.asked) return;
      this.failed = true;
      toast(refusal.message, "error");
    } finally {
      if (asked === this.asked) this.loading = false;
    }
    this.draw();
    if (this.behind && this.visible) this.renew();
    if (!this.failed && !this.ended && this.visible && this.more.getBoundingClientRect().top < innerHeight) this.load();
  }

  /** What is new comes first, what is gone goes; the place in the list is kept. */
  async renew() {
    if (this.next === null) return this.reload();
    this.behind ||= this.loading; // then it is asked for when the next page is here
    if (this.loading) return;
    const { begun } = this;
    const found = await this.ask("").catch(() => null); // the banner says what is wrong
    if (begun !== this.begun) return;
    this.behind = !found;
    if (!found) return;
    const fresh = newOnes(merged(found.jobs, this.jobs, (id) => this.tiles.delete(id)), this.jobs);
    const lost = this.jobs.length + fresh.length > found.total; // deleted elsewhere
    if (lost || (found.next && fresh.length === found.jobs.length)) return this.reload(); // or more than a page of new ones
    this.total = found.total;
    this.jobs.unshift(...fresh);
    this.draw();
  }

  /** Each video keeps its tile; takes of one photo stand together. */
  draw() {
    const groups = byPhoto(this.jobs);
    this.jobs = groups.flat();
    arrange(this.grid, this.jobs.map((job) => this.tile(job).element));
    shorten(this.grid, this.jobs.length);
    for (const id of this.tiles.keys()) if (!this.jobs.some((job) => job.id === id)) this.tiles.delete(id);
    for (const group of groups) {
      const takes = this.present(group);
      const keys = differing(takes);
      for (const job of group) this.tile(job).draw(apart(job, keys, this.options.settings), takes.indexOf(job), takes.length);
    }
    this.selection.keep(this.order());
    this.sift();
  }

  /** Those that are not being deleted. @param {FinishedJob[]} jobs */
  present(jobs) {
    return jobs.filter(({ id }) => !this.deletions.has(id));
  }

  /** @param {FinishedJob} job */
  tile(job) {
    let tile = this.tiles.get(job.id);
    if (!tile) {
      tile = new Tile(job, {
        take: once(() => anotherTake(job, this.hooks)),
        redo: () => this.hooks.redo(job),
        remove: () => this.remove([job.id]),
        compare: () => this.hooks.compare(withNext(job, byPhoto(this.present(this.jobs)).find((takes) => takes.includes(job)) ?? [])),
        select: (range) => this.selection.toggle(job.id, range, this.order()),
      });
      this.tiles.set(job.id, tile);
    }
    return tile;
  }

  /** The ids of what is shown. */
  order() {
    return this.present(this.jobs).map(({ id }) => id);
  }

  /** The video before or after one, undefined at the end of the list. @param {string} id @param {1 | -1} by */
  async neighbour(id, by) {
    if (this.next === null) await this.reload();
    if (by > 0 && !this.ended && this.order().at(-1) === id) await this.load();
    const order = this.order();
    const next = order[order.indexOf(id) + by];
    return order.includes(id) ? this.jobs.find((job) => job.id === next) : this.jobs[0];
  }

  /** Hides what is about to be deleted, and says so when nothing is left. */
  sift() {
    for (const { job, element } of this.tiles.values()) show(element, !this.deletions.has(job.id));
    const count = Math.max(0, this.total - this.deletions.size);
    this.title.replaceChildren(t("gallery.title"), ...(this.next === null ? [] : [" ", h("span", { class: "quiet total" }, number(count))]));
    setText(this.empty, t(narrowed(this.filters.values) ? "gallery.nothing" : "gallery.empty"));
    show(this.empty, this.ended && !this.order().length);
    setText(this.more, t(this.failed ? "action.again" : "gallery.more"));
    show(this.more, this.failed || Boolean(this.next));
    this.selection.keep(this.order());
    this.drawSelection();
  }

  drawSelection() {
    for (const [id, tile] of this.tiles) tile.select(this.selection.has(id));
    this.grid.classList.toggle("selecting", this.selection.size > 0);
    this.bar.draw();
  }

  /** One that is shown elsewhere. @param {{ id: string, name: string }} job */
  removeOne({ id, name }) {
    this.deletions.add([id], t("gallery.deleted", { name }));
  }

  /** @param {string[]} ids */
  remove(ids) {
    const at = this.jobs.findIndex(({ id }) => id === ids[0]);
    const jobs = this.jobs.filter(({ id }) => ids.includes(id));
    this.deletions.add(ids, jobs.length === 1 ? t("gallery.deleted", { name: jobs[0].name }) : t("gallery.deleted_many", { n: jobs.length }));
    const next = [...this.jobs.slice(at), ...this.jobs.slice(0, at).reverse()].find(({ id }) => !this.deletions.has(id));
    focusOn(next && find(this.tile(next).element, ".over-tools .chip:last-child"));
  }

  /** They are deleted. @param {string[]} ids */
  drop(ids) {
    this.total -= this.jobs.filter(({ id }) => ids.includes(id)).length;
    this.jobs = this.jobs.filter(({ id }) => !ids.includes(id));
    this.draw();
  }

  /** @param {string[]} ids */
  async favour(ids) {
    if (!(await favourMany(this.jobs.filter(({ id }) => ids.includes(id))))) return;
    for (const id of ids) this.tiles.delete(id);
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return this.bar.key(event, "delete");
  }
}
