// @ts-check
// Which of a list's items are selected, as lists everywhere do it: one by one, a range with Shift, all of them.

export class Selection {
  /** @param {() => void} changed called when others are selected */
  constructor(changed) {
    this.changed = changed;
    /** @type {Set<string>} */
    this.ids = new Set();
    /** @type {string | null} */
    this.from = null; // where a range begins
  }

  get size() {
    return this.ids.size;
  }

  /** @param {string} id */
  has(id) {
    return this.ids.has(id);
  }

  /** Select an item or no longer; with `range` all from the last one to it. @param {string} id @param {boolean} range @param {string[]} order of the list */
  toggle(id, range, order) {
    const [from, to] = [order.indexOf(this.from ?? ""), order.indexOf(id)];
    if (range && from >= 0) for (const one of order.slice(Math.min(from, to), Math.max(from, to) + 1)) this.ids.add(one);
    else if (!this.ids.delete(id)) this.ids.add(id);
    this.from = id;
    this.changed();
  }

  /** @param {string[]} ids */
  all(ids) {
    this.ids = new Set(ids);
    this.changed();
  }

  clear() {
    if (this.size) this.all([]);
  }

  /** Only those that are still there stay selected. @param {string[]} there */
  keep(there) {
    const known = new Set(there);
    const left = [...this.ids].filter((id) => known.has(id));
    if (left.length < this.size) this.all(left);
  }

  /** Those that are selected, in the list's order. @param {string[]} order */
  inOrder(order) {
    return order.filter((id) => this.ids.has(id));
  }
}
