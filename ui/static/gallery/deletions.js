// @ts-check
// What is about to be deleted: gone from sight at once, from the disk only when nobody has called it back.

import { t } from "../lib/catalogue.js";
import { h, toast } from "../lib/dom.js";
import { deleteMany } from "./many.js";

const UNDO_MS = 7000;

/** Deleted together. @typedef {{ ids: string[], timer: number, box: HTMLElement }} Batch */

/** @typedef {{ changed: () => void, gone: (ids: string[]) => void, back: (id: string) => void, refused: () => void }} DeletionsTold */

export class Deletions {
  /** @param {DeletionsTold} told */
  constructor(told) {
    this.told = told;
    /** @type {Map<string, Batch>} */
    this.leaving = new Map();
  }

  get size() {
    return this.leaving.size;
  }

  /** @param {string} id */
  has(id) {
    return this.leaving.has(id);
  }

  /** @param {string[]} ids @param {string} said */
  add(ids, said) {
    const box = toast(said, "info", UNDO_MS);
    /** @type {Batch} */
    const batch = { ids, box, timer: setTimeout(() => this.finish(batch), UNDO_MS) };
    box.append(" ", h("button", { type: "button", class: "link", onclick: () => this.undo(batch) }, t("gallery.undo")));
    for (const id of ids) this.leaving.set(id, batch);
    this.told.changed();
  }

  /** @param {Batch} batch */
  undo(batch) {
    this.decided(batch);
    this.told.changed();
    this.told.back(batch.ids[0]);
  }

  /** Whatever was decided: there is nothing to be called back any more. @param {Batch} batch */
  decided({ ids, timer, box }) {
    clearTimeout(timer);
    box.remove();
    for (const id of ids) this.leaving.delete(id);
  }

  /** @param {Batch} batch */
  finish(batch) {
    this.decided(batch);
    this.told.gone(batch.ids);
    deleteMany(batch.ids).then((well) => well || this.told.refused());
  }

  /** The page is left: all of it is meant. */
  flush() {
    for (const batch of new Set(this.leaving.values())) this.finish(batch);
  }
}
