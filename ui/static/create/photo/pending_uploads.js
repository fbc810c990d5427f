// @ts-check
// Uploads that are under way (and photos that the server fetches itself), and what waits until all of them have ended.

export class PendingUploads {
  /** @param {() => void} changed called when an upload begins, and when it ends */
  constructor(changed) {
    this.changed = changed;
    /** @type {Set<AbortController>} */
    this.running = new Set();
    /** @type {((taken: boolean) => void)[]} */
    this.waiting = [];
    /** @type {string[]} */
    this.problems = []; // why photos were refused, of the uploads under way and of those that ended meanwhile
  }

  get any() {
    return this.running.size > 0;
  }

  /**
   * Do `work`, which counts as an upload until it ends.
   *
   * @param {boolean} instead of uploads that are under way: those are aborted
   * @param {(signal: AbortSignal) => Promise<void>} work
   */
  async run(instead, work) {
    if (instead) this.stop();
    if (instead || !this.any) this.problems = [];
    const upload = new AbortController();
    this.running.add(upload);
    this.changed();
    try {
      await work(upload.signal);
    } finally {
      this.running.delete(upload);
      this.changed();
    }
    if (!this.any) this.settle(!this.problems.length);
  }

  stop() {
    for (const upload of this.running) upload.abort();
  }

  /** Cancel by hand: what waits for the photos does not go on without them. */
  giveUp() {
    this.settle(false);
    this.stop();
  }

  /** Resolve when no upload is under way: whether all photos were taken. @returns {Promise<boolean> | boolean} */
  settled() {
    return this.any ? new Promise((resolve) => this.waiting.push(resolve)) : true;
  }

  /** @param {boolean} taken */
  settle(taken) {
    for (const go of this.waiting.splice(0)) go(taken);
  }
}
