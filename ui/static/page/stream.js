// @ts-check
// The one live stream of a tab.

import { language, t } from "../lib/catalogue.js";
import { call } from "../lib/net.js";

/** @import { Event as JobEvent, Job, Machine, Words } from "../types.d.ts" */

const SLOW_POLL_MS = 5000;
const LATE_MS = 1500; // a connection that is made anew may take so long
const SILENT_MS = 40_000; // the program says something every 15 s (ui/live.py); a line that was cut may end nothing

/**
 * The live stream. A browser opens only six connections to a host, so a hidden tab closes its stream, asks every few
 * seconds how things are (for the title and the notifications), and takes the stream up again when it is shown.
 *
 * @typedef {object} Handlers
 * @property {(state: Job) => void} job
 * @property {(events: JobEvent[]) => void} log
 * @property {(state: Machine) => void} machine
 * @property {(sentence: string) => void} trouble "": all is well again
 * @property {(yes: boolean) => void} reached whether the program answers
 * @property {(sentence: string) => void} gone the job does not exist
 */
export class Stream {
  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.handlers = handlers;
    /** @type {string | null} */
    this.job = null;
    this.after = 0;
    /** @type {EventSource | null} */
    this.source = null;
    /** @type {number | undefined} */
    this.timer = undefined;
    /** @type {number | undefined} */
    this.lost = undefined;
    /** @type {number | undefined} */
    this.silence = undefined;
    this.turn = 0;
    this.looking = 0; // the turn in which an answer is waited for
    document.addEventListener("visibilitychange", () => this.open());
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", (event) => event.persisted && this.open());
  }

  /** @param {string | null} job its id; null: the machine alone */
  follow(job) {
    if (job === this.job && this.source) return;
    this.job = job;
    this.after = 0;
    this.open();
  }

  open() {
    this.close();
    if (document.hidden) {
      this.timer = setInterval(() => this.look(), SLOW_POLL_MS);
      return;
    }
    const query = new URLSearchParams();
    if (this.job) {
      query.set("job", this.job);
      query.set("after", String(this.after));
    }
    const source = new EventSource(`studio/events?${query}`);
    this.source = source;
    this.listen();
    const on = (/** @type {string} */ name, /** @type {(data: any, event: MessageEvent) => void} */ act) =>
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        this.listen();
        this.handlers.reached(true);
        act(JSON.parse(event.data), event);
        if (name !== "trouble") this.handlers.trouble("");
      });
    on("job", (/** @type {Job} */ state) => this.handlers.job(state));
    on("machine", (/** @type {Machine} */ state) => this.handlers.machine(state));
    on("trouble", (/** @type {{ error: Words }} */ state) => this.handlers.trouble(state.error[language]));
    on("alive", () => {});
    on("log", (/** @type {JobEvent[]} */ lines, event) => {
      this.after = Number(event.lastEventId) || this.after;
      this.handlers.log(lines);
    });
    source.onerror = () => {
      if (source !== this.source) return;
      if (source.readyState === EventSource.CLOSED) this.refused();
      else this.doubt();
    };
    source.onopen = () => {
      if (source !== this.source) return;
      this.listen();
      this.trust();
      this.handlers.reached(true);
      this.handlers.trouble("");
    };
  }

  /** A stream that says nothing for long is taken up anew. */
  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.open();
      this.doubt();
    }, SILENT_MS);
  }

  /** The stream is open, or is one no more: there is nothing to say. */
  trust() {
    clearTimeout(this.lost);
    this.lost = undefined;
  }

  /** Say that the program cannot be reached, unless this stream opens soon. */
  doubt() {
    this.lost ??= setTimeout(() => this.source?.readyState !== EventSource.OPEN && this.unreached(), LATE_MS); // each try to connect fails by itself
  }

  unreached() {
    this.handlers.reached(false);
    this.handlers.trouble(t("net.lost"));
  }

  /** The server answered with an error instead of a stream: say why, or try again. */
  async refused() {
    this.close();
    const { turn } = this;
    try {
      await call(this.job ? `studio/jobs/${encodeURIComponent(this.job)}` : "studio/machine");
      if (turn === this.turn) this.timer = setTimeout(() => this.open(), 1000);
    } catch (refusal) {
      if (turn !== this.turn) return; // hidden, shown or turned to another job meanwhile
      if (refusal.gone) {
        this.handlers.gone(refusal.message);
        this.follow(null);
      } else if (refusal.status !== 401) {
        if (refusal.unreached) this.unreached();
        else this.handlers.trouble(refusal.message);
        this.timer = setTimeout(() => this.open(), 2000);
      }
    }
  }

  /** What a hidden tab asks for; not again while it waits for the last answer. */
  async look() {
    const { turn, job } = this;
    if (this.looking === turn) return;
    this.looking = turn;
    const ask = async (/** @type {string} */ path, /** @type {(state: any) => void} */ act) => {
      try {
        const state = await call(path);
        if (turn === this.turn) act(state);
      } catch {
        // the stream will say what is wrong when the tab is shown again
      }
    };
    await ask("studio/machine", this.handlers.machine);
    if (job && turn === this.turn) await ask(`studio/jobs/${encodeURIComponent(job)}`, this.handlers.job);
    if (this.looking === turn) this.looking = 0;
  }

  /** Every change of what this tab listens to begins here; an answer of an earlier turn is dropped. */
  close() {
    this.turn += 1;
    clearTimeout(this.timer);
    clearInterval(this.timer);
    this.trust();
    clearTimeout(this.silence);
    this.source?.close();
    this.source = null;
  }
}
