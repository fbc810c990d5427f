// Talking to the server: requests that fail with a sentence, uploads with progress, and the one live stream of a tab.

import { language, t } from "./i18n.js";

export class Refusal extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

export async function call(path, { method = "GET", body, keepalive = false, signal } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      keepalive, // it may outlive the page
      signal,
      headers: { "Accept-Language": language, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(t("net.unreachable"), 0);
  }
  return settle(answer.status, await answer.text());
}

/** Send a file's bytes as they are; the server reads and checks them. `progress(fraction)` while they travel, until `signal`. */
export function upload(file, progress, signal, place = "/studio/photos") {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", place);
    request.setRequestHeader("Accept-Language", language);
    request.setRequestHeader("X-Photo-Name", encodeURIComponent(file.name || "photo"));
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = request.onabort = () => reject(new Refusal(t("net.upload_broken"), 0));
    signal.addEventListener("abort", () => request.abort());
    request.onload = () => {
      try {
        resolve(settle(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.send(file);
  });
}

function settle(status, text) {
  let data = {};
  try {
    data = JSON.parse(text);
  } catch {
    // a proxy's own error page; the status says enough
  }
  if (status === 401) {
    location.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  }
  if (status < 200 || status >= 300) throw new Refusal(data.error || t("net.failed", { status }), status);
  return data;
}

const SLOW_POLL_MS = 5000;

/**
 * The live stream. A browser opens only six connections to a host, so a hidden tab closes its stream, asks every few
 * seconds how things are (for the title and the notifications), and takes the stream up again when it is shown.
 *
 * handlers: job(state), log(lines), machine(state), trouble(sentence or ""), gone(sentence)
 */
export class Stream {
  constructor(handlers) {
    this.handlers = handlers;
    this.job = null;
    this.after = 0;
    this.source = null;
    this.timer = null;
    this.turn = 0;
    document.addEventListener("visibilitychange", () => this.open());
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", (event) => event.persisted && this.open());
  }

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
      query.set("after", this.after);
    }
    const source = new EventSource(`/studio/events?${query}`);
    this.source = source;
    const on = (name, act) =>
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        act(JSON.parse(event.data), event);
        if (name !== "trouble") this.handlers.trouble("");
      });
    on("job", (state) => this.handlers.job(state));
    on("machine", (state) => this.handlers.machine(state));
    on("trouble", (state) => this.handlers.trouble(state.error[language]));
    on("log", (lines, event) => {
      this.after = Number(event.lastEventId) || this.after;
      this.handlers.log(lines);
    });
    source.onerror = () => {
      if (source !== this.source) return;
      if (source.readyState === EventSource.CLOSED) this.refused();
      else this.lost = setTimeout(() => source === this.source && source.readyState !== EventSource.OPEN && this.handlers.trouble(t("net.lost")), 1500);
    };
    source.onopen = () => source === this.source && this.handlers.trouble("");
  }

  /** The server answered with an error instead of a stream: say why, or try again. */
  async refused() {
    this.close();
    const { turn } = this;
    try {
      await call(this.job ? `/studio/jobs/${encodeURIComponent(this.job)}` : "/studio/machine");
      if (turn === this.turn) this.timer = setTimeout(() => this.open(), 1000);
    } catch (refusal) {
      if (turn !== this.turn) return; // hidden, shown or turned to another job meanwhile
      if (refusal.status === 404) {
        this.handlers.gone(refusal.message);
        this.follow(null);
      } else if (refusal.status !== 401) {
        this.handlers.trouble(refusal.status ? refusal.message : t("net.lost"));
        this.timer = setTimeout(() => this.open(), 2000);
      }
    }
  }

  /** What a hidden tab asks for. */
  async look() {
    const { turn, job } = this;
    const ask = async (path, act) => {
      try {
        const state = await call(path);
        if (turn === this.turn) act(state);
      } catch {
        // the stream will say what is wrong when the tab is shown again
      }
    };
    await ask("/studio/machine", this.handlers.machine);
    if (job && turn === this.turn) await ask(`/studio/jobs/${encodeURIComponent(job)}`, this.handlers.job);
  }

  /** Every change of what this tab listens to begins here; an answer of an earlier turn is dropped. */
  close() {
    this.turn += 1;
    clearTimeout(this.timer);
    clearInterval(this.timer);
    clearTimeout(this.lost);
    this.source?.close();
    this.source = null;
  }
}
