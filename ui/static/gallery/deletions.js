// @ts-check
// What is about to be deleted: hidden at once, deleted from the disk unless that is undone in time.

import { t } from "../lib/catalogue.js";
import { h, toast } from "../lib/dom.js";
import { deleteMany } from "./many.js";

const UNDO_MS = 7000;

/** Deleted together. decided: it cannot be called back. @typedef {{ ids: string[], box?: HTMLElement, decided?: boolean }} Batch */

/** @typedef {{ changed: () => void, gone: (ids: string[]) => void, back: (id: string) => void, refused: () => void }} DeletionsTold */

export class Deletions {
  /** @param {DeletionsTold} told */
  constructor(told) {
    this.told = told;
    /** @type {Map<string, Batch>} */
    this.leaving = new Map(); // until the server has answered: it tells of them until then
    /** @type {Set<string>} */
    this.done = new Set(); // the ids of those that are deleted
  }

  get size() {
    return this.leaving.size;
  }

  /** @param {string} id */
  has(id) {
    return this.leaving.has(id);
  }

  /** An answer without what was deleted while it was on its way. @template {{ jobs: { id: string }[], total: number }} T @param {T} found @returns {T} */
  without(found) {
    const jobs = found.jobs.filter(({ id }) => !this.done.has(id));
    return { ...found, jobs, total: found.total - found.jobs.length + jobs.length };
  }

  /** @param {string[]} ids @param {string} said */
  add(ids, said) {
    /** @type {Batch} */
    const batch = { ids };
    const box = batch.box = toast(said, "info", UNDO_MS, () => this.finish(batch));
    box.append(" ", h("button", { type: "button", class: "link", onclick: () => this.undo(batch) }, t("gallery.undo")));
    for (const id of ids) this.leaving.set(id, batch);
    this.told.changed();
  }

  /** @param {Batch} batch */
  undo(batch) {
    this.decided(batch);
    this.leave(batch);
    this.told.changed();
    this.told.back(batch.ids[0]);
  }

  /** End a batch, deleted or undone: there is nothing to undo any more. @param {Batch} batch */
  decided(batch) {
    batch.decided = true;
    batch.box?.remove();
  }

  /** @param {Batch} batch */
  leave({ ids }) {
    for (const id of ids) this.leaving.delete(id);
  }

  /** @param {Batch} batch */
  async finish(batch) {
    if (batch.decided) return;
    this.decided(batch);
    const well = await deleteMany(batch.ids);
    if (well) for (const id of batch.ids) this.done.add(id);
    this.leave(batch);
    if (well) this.told.gone(batch.ids);
    else this.told.refused();
  }

  /** The page is left: all of it is meant. */
  flush() {
    for (const batch of new Set(this.leaving.values())) this.finish(batch);
  }
}
