// The line: what runs, what waits and in which order, and what did not come to an end.

import { h, icon, ICONS, setText, show, toast } from "./dom.js";
import { duration, has, number, t, when } from "./i18n.js";
import { call } from "./net.js";

const UNFINISHED = 20;

export class QueueView {
  /** hooks: open(job id), use(settings) */
  constructor(hooks) {
    this.hooks = hooks;
    this.active = [];
    this.rows = new Map();
  }

  build(root, options) {
    this.root = root;
    this.mayPause = options.owns_machine;
    this.title = h("h2");
    this.pauseButton = h("button", { type: "button", class: "action", id: "pause", onclick: () => this.pause() });
    this.list = h("ol", { class: "jobs" });
    this.empty = h("p", { class: "nothing" });
    this.oldTitle = h("h2");
    this.old = h("ul", { class: "jobs" });
    root.append(
      h("div", { class: "list-head" }, this.title, this.pauseButton), this.empty, this.list,
      this.oldTitle, this.old);
    this.list.addEventListener("dragover", (event) => this.dragged && event.preventDefault());
    document.addEventListener("language", () => this.label());
    this.label();
  }

  label() {
    setText(this.title, t("queue.title"));
    setText(this.oldTitle, t("queue.unfinished"));
    setText(this.empty, t("queue.empty"));
    this.rows.clear();
    this.list.replaceChildren();
    if (this.state) this.machine(this.state);
    if (this.visible) this.load();
  }

  shown(yes) {
    this.visible = yes;
    if (yes) this.load();
  }

  machine(state) {
    const ended = this.active.some((job) => !state.active.find((other) => other.id === job.id));
    this.state = state;
    this.active = state.active;
    show(this.pauseButton, this.mayPause);
    this.pauseButton.replaceChildren(icon(state.paused ? ICONS.play : ICONS.pause), h("span", {}, t(state.paused ? "queue.resume" : "queue.pause")));
    show(this.empty, state.active.length === 0);
    const waiting = state.active.filter((job) => job.status === "queued");
    const wanted = state.active.map((job) => this.row(job, waiting));
    wanted.forEach((row, at) => this.list.children[at] !== row && this.list.insertBefore(row, this.list.children[at] ?? null));
    while (this.list.childElementCount > wanted.length) this.list.lastElementChild.remove();
    for (const id of this.rows.keys()) if (!state.active.some((job) => job.id === id)) this.rows.delete(id);
    if (ended && this.visible) this.load();
  }

  /** One row a job, kept while it lives: only what changed is written, so that nothing jumps or loses its focus. */
  row(job, waiting) {
    let row = this.rows.get(job.id);
    if (!row) {
      const act = (name, path, action) => h("button", { type: "button", class: "plain icon", data: { act: name }, title: t(`action.${name}`), "aria-label": `${t(`action.${name}`)}: ${job.name}`, onclick: action }, icon(path));
      const fill = h("i");
      const parts = {
        place: h("span", { class: "place" }), now: h("span", { class: "quiet" }), fill,
        bar: h("div", { class: "bar" }, fill),
        up: act("up", ICONS.up, () => this.move(job.id, -1)), down: act("down", ICONS.down, () => this.move(job.id, 1)),
        cancel: act("cancel", ICONS.close, () => this.cancel(job.id)),
      };
      row = h("li", { class: "job-row", data: { id: job.id } }, parts.place,
        h("a", { class: "thumb", href: `/?job=${job.id}`, data: { go: "create", job: job.id }, tabIndex: -1 }, h("img", { src: `/studio/jobs/${job.id}/poster`, alt: "", loading: "lazy" })),
        h("div", { class: "row-words" }, h("a", { class: "name", href: `/?job=${job.id}`, data: { go: "create", job: job.id } }, job.name), h("span", { class: "facts" }, describe(job.settings)), parts.bar, parts.now),
        h("div", { class: "row-acts" }, parts.up, parts.down, parts.cancel));
      row.parts = parts;
      row.addEventListener("dragstart", () => { this.dragged = job.id; row.classList.add("dragged"); });
      row.addEventListener("dragend", () => { this.dragged = null; row.classList.remove("dragged"); });
      row.addEventListener("drop", (event) => { event.preventDefault(); this.drop(job.id); });
      this.rows.set(job.id, row);
    }
    const { place, now, bar, fill, up, down, cancel } = row.parts;
    const queued = job.status === "queued";
    row.draggable = queued;
    row.classList.toggle("running", !queued);
    setText(place, queued ? String(job.place) : "");
    show(bar, !queued);
    fill.style.transform = `scaleX(${job.fraction})`;
    setText(now, queued ? (job.attempt > 1 ? t("now.queued_again", job) : this.state.paused ? t("worker.paused") : "") : progress(job));
    const at = waiting.findIndex((other) => other.id === job.id);
    show(up, queued);
    show(down, queued);
    up.disabled = at <= 0;
    down.disabled = at === waiting.length - 1;
    cancel.disabled = job.cancelling;
    return row;
  }

  async move(id, by) {
    const waiting = this.active.filter((job) => job.status === "queued");
    const other = waiting[waiting.findIndex((job) => job.id === id) + by];
    if (other) await this.ask(`/studio/jobs/${id}/move`, { place: other.place });
  }

  async drop(target) {
    const id = this.dragged;
    const other = this.active.find((job) => job.id === target);
    if (!id || id === target || !other) return;
    await this.ask(`/studio/jobs/${id}/move`, { place: Math.max(1, other.place) });
  }

  cancel(id) {
    return this.ask(`/studio/jobs/${id}/cancel`);
  }

  pause() {
    return this.ask(`/studio/queue/${this.state.paused ? "resume" : "pause"}`);
  }

  async ask(path, body) {
    try {
      await call(path, { method: "POST", body });
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  }

  // --- failed and cancelled ----------------------------------------------------------------------------------------

  async load() {
    let found;
    try {
      found = await call(`/studio/jobs?kind=unfinished&limit=${UNFINISHED}`);
    } catch {
      return;
    }
    show(this.oldTitle, found.jobs.length > 0);
    this.old.replaceChildren(...found.jobs.map((job) => this.oldRow(job)));
  }

  oldRow(job) {
    const again = async () => {
      try {
        const made = await call(`/studio/jobs/${job.id}/retry`, { method: "POST" });
        this.hooks.open(made.id);
      } catch (refusal) {
        toast(refusal.message, "error");
      }
    };
    const remove = async () => {
      try {
        await call(`/studio/jobs/${job.id}`, { method: "DELETE" });
      } catch (refusal) {
        toast(refusal.message, "error");
      }
      this.load();
    };
    const name = { data: { go: "create", job: job.id }, href: `/?job=${job.id}` };
    return h("li", { class: `job-row ${job.status}` }, h("span", { class: "place" }),
      h("a", { class: "thumb", tabIndex: -1, ...name }, h("img", { src: job.poster, alt: "", loading: "lazy" })),
      h("div", { class: "row-words" }, h("a", { class: "name", ...name }, job.name),
        h("span", { class: "facts" }, [t(`now.${job.status}`), job.finished ? when(job.finished) : "", describe(job.settings)].filter(Boolean).join(" · ")),
        job.error ? h("span", { class: "why" }, job.error.split("\n")[0]) : ""),
      h("div", { class: "row-acts" },
        h("button", { type: "button", class: "action", onclick: again }, icon(ICONS.again), h("span", {}, t("action.again"))),
        h("button", { type: "button", class: "plain icon", title: t("action.delete"), "aria-label": `${t("action.delete")}: ${job.name}`, onclick: remove }, icon(ICONS.trash))));
  }
}

export function describe(settings) {
  return [settings.resolution, t("form.seconds_value", { n: settings.seconds }), has(`quality.${settings.quality}`) ? t(`quality.${settings.quality}`) : settings.quality, settings.model].join(" · ");
}

function progress(job) {
  const parts = [has(`now.${job.stage}`) ? t(`now.${job.stage}`) : t("now.starting"), `${number(100 * job.fraction)} %`];
  if (job.eta_seconds !== null) parts.push(t("now.left", { time: duration(job.eta_seconds) }));
  return parts.join(" · ");
}
