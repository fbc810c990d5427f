// @ts-check
// What is on its way to the server (uploads, and photos that it takes itself), and what waits for all of it.

export class Travels {
  /** @param {() => void} changed called when something begins to travel, and when it ends */
  constructor(changed) {
    this.changed = changed;
    /** @type {Set<AbortController>} */
    this.turns = new Set();
    /** @type {((taken: boolean) => void)[]} */
    this.waiting = [];
    /** @type {string[]} */
    this.problems = []; // why something was refused of what travels, or has travelled with it
  }

  get any() {
    return this.turns.size > 0;
  }

  /**
   * While `work` is under way something travels.
   *
   * @param {boolean} instead of an upload that is under way: that one is dropped
   * @param {(signal: AbortSignal) => Promise<void>} work
   */
  async go(instead, work) {
    if (instead) this.stop();
    if (instead || !this.any) this.problems = [];
    const turn = new AbortController();
    this.turns.add(turn);
    this.changed();
    try {
      await work(turn.signal);
    } finally {
      this.turns.delete(turn);
      this.changed();
    }
    if (!this.any) this.settle(!this.problems.length);
  }

  stop() {
    for (const turn of this.turns) turn.abort();
  }

  /** By hand: what waits for the photos goes without them nowhere. */
  giveUp() {
    this.settle(false);
    this.stop();
  }

  /** When nothing travels any more: whether all of it was taken. @returns {Promise<boolean> | boolean} */
  settled() {
    return this.any ? new Promise((resolve) => this.waiting.push(resolve)) : true;
  }

  /** @param {boolean} taken */
  settle(taken) {
    for (const go of this.waiting.splice(0)) go(taken);
  }
}
