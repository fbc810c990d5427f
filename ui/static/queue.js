// The line: what runs, what waits and in which order, and what did not come to an end.

import { focusOn, h, icon, ICONS, setText, show, toast } from "./dom.js";
import { duration, has, language, number, t, when } from "./i18n.js";
import { mends } from "./mend.js";
import { call } from "./net.js";

const PAGE = 20;
const MOST_A_REQUEST = 60;

export class QueueView {
  /** hooks: those of mend.js */
  constructor(hooks) {
    this.hooks = hooks;
    this.active = [];
    this.rows = new Map();
    this.moving = new Map(); // job id -> { to, answered }: the index in the line that it is on its way to
    this.asking = Promise.resolve();
  }

  build(root, options) {
    this.root = root;
    this.mayPause = options.owns_machine;
    this.title = h("h2");
    this.pauseButton = h("button", { type: "button", class: "action", id: "pause", onclick: () => this.pause() });
    this.list = h("ol", { class: "jobs" });
    this.empty = h("p", { class: "nothing", hidden: true });
    this.oldTitle = h("h2");
    this.old = h("ul", { class: "jobs unfinished" });
    this.more = h("button", { type: "button", class: "action more", hidden: true, onclick: () => this.load(this.old.childElementCount + PAGE) });
    root.append(
      h("div", { class: "list-head" }, this.title, this.pauseButton), this.empty, this.list,
      this.oldTitle, this.old, this.more);
    this.list.addEventListener("dragover", (event) => this.dragged && event.preventDefault());
    document.addEventListener("language", () => this.label());
    this.label();
  }

  label() {
    setText(this.title, t("queue.title"));
    setText(this.oldTitle, t("queue.unfinished"));
    setText(this.empty, t("queue.empty"));
    setText(this.more, t("gallery.more"));
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
    const pause = t(state.paused ? "queue.resume" : "queue.pause");
    if (this.pauseButton.textContent !== pause) this.pauseButton.replaceChildren(icon(state.paused ? ICONS.play : ICONS.pause), h("span", {}, pause));
    show(this.empty, state.active.length === 0);
    const waiting = state.active.filter((job) => job.status === "queued");
    for (const [id, { to, answered }] of this.moving) if (answered || waiting[to]?.id === id) this.moving.delete(id);
    const wanted = state.active.map((job) => this.row(job, waiting));
    const focused = document.activeElement;
    const place = [...this.list.children].findIndex((row) => row.contains(focused));
    wanted.forEach((row, at) => this.list.children[at] !== row && this.list.insertBefore(row, this.list.children[at] ?? null));
    this.refocus(focused);
    while (this.list.childElementCount > wanted.length) this.list.lastElementChild.remove();
    if (!focused.isConnected && place >= 0) focusOn((this.list.children[place] ?? this.list.lastElementChild)?.parts.cancel);
    for (const id of this.rows.keys()) if (!state.active.some((job) => job.id === id)) this.rows.delete(id);
    if (ended && this.visible) this.load();
  }

  /** A row that has moved lost the focus, and so did the button that is of no use at the end of the line. */
  refocus(button) {
    const row = button?.closest?.(".job-row");
    if (!row || !this.list.contains(row)) return;
    const { up, down } = row.parts;
    const other = button === down ? up : down;
    (button.disabled && !other.disabled ? other : button).focus();
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
        top: act("top", ICONS.top, () => this.move(job.id, -Infinity)),
        up: act("up", ICONS.up, () => this.move(job.id, -1)), down: act("down", ICONS.down, () => this.move(job.id, 1)),
        cancel: act("cancel", ICONS.close, () => this.cancel(job.id)),
      };
      row = h("li", { class: "job-row", data: { id: job.id } }, parts.place,
        h("a", { class: "thumb", href: `/?job=${job.id}`, data: { go: "create", job: job.id }, tabIndex: -1, "aria-hidden": true }, h("img", { src: `/studio/jobs/${job.id}/poster`, alt: "", loading: "lazy" })),
        h("div", { class: "row-words" }, h("a", { class: "name", href: `/?job=${job.id}`, data: { go: "create", job: job.id } }, job.name), h("span", { class: "facts" }, describe(job.settings)), parts.bar, parts.now),
        h("div", { class: "row-acts" }, parts.top, parts.up, parts.down, parts.cancel));
      row.parts = parts;
      row.addEventListener("dragstart", () => { this.dragged = job.id; row.classList.add("dragged"); });
      row.addEventListener("dragend", () => { this.land(null); this.dragged = null; row.classList.remove("dragged"); });
      row.addEventListener("dragover", () => this.dragged && this.land(row));
      row.addEventListener("drop", (event) => { event.preventDefault(); this.drop(job.id); });
      this.rows.set(job.id, row);
    }
    const { place, now, bar, fill, top, up, down, cancel } = row.parts;
    const queued = job.status === "queued";
    row.draggable = queued;
    row.classList.toggle("running", !queued);
    setText(place, queued ? String(job.place) : "");
    show(bar, !queued);
    fill.style.transform = `scaleX(${job.fraction})`;
    setText(now, queued ? (job.attempt > 1 ? t("now.queued_again", job) : this.state.paused ? t("worker.paused") : "") : progress(job));
    const at = waiting.findIndex((other) => other.id === job.id);
    for (const button of [top, up, down]) show(button, queued);
    top.disabled = up.disabled = at <= 0;
    down.disabled = at === waiting.length - 1;
    cancel.disabled = job.cancelling;
    return row;
  }

  /** by: so many places from where its last move takes it, which the newest state may not show yet. One after the other. */
  async move(id, by) {
    const waiting = this.active.filter((job) => job.status === "queued");
    const from = this.moving.get(id)?.to ?? waiting.findIndex((job) => job.id === id);
    const to = Math.min(Math.max(from + by, 0), waiting.length - 1);
    if (from < 0 || from === to) return;
    const way = { to, answered: false };
    this.moving.set(id, way);
    this.asking = this.asking.then(() => this.ask(`/studio/jobs/${id}/move`, { place: waiting[to].place }));
    await this.asking;
    way.answered = true;
  }

  /** Show where what is dragged would go. */
  land(row) {
    for (const one of this.list.children) one.classList.remove("lands-before", "lands-after");
    if (!row || row.dataset.id === this.dragged) return;
    const at = (id) => this.active.findIndex((job) => job.id === id);
    const before = row.draggable && at(row.dataset.id) < at(this.dragged);
    row.classList.add(before ? "lands-before" : "lands-after");
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

  /** The newest `count` of them, at least one page, at least as many as are shown. */
  async load(count = Math.max(PAGE, this.old.childElementCount)) {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    const jobs = [];
    let next = "";
    try {
      do {
        const query = new URLSearchParams({ kind: "unfinished", after: next, limit: Math.min(MOST_A_REQUEST, count - jobs.length) });
        const found = await call(`/studio/jobs?${query}`);
        if (asked !== this.asked) return;
        jobs.push(...found.jobs);
        next = found.next;
      } while (next && jobs.length < count);
    } catch {
      return;
    }
    show(this.oldTitle, jobs.length > 0);
    this.keepFocus(() => this.old.replaceChildren(...jobs.map((job) => this.oldRow(job))));
    show(this.more, Boolean(next));
  }

  /** While the rows are written anew: on the same control of the same job, or of the one that has taken its place. */
  keepFocus(write) {
    const controls = (row) => [...row.querySelectorAll("a, button")];
    const rows = [...this.old.children];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const id = rows[at]?.dataset.job;
    const fromEnd = at < 0 ? 0 : controls(rows[at]).indexOf(document.activeElement) - controls(rows[at]).length;
    write();
    if (at < 0) return;
    const now = [...this.old.children];
    const row = now.find((one) => one.dataset.job === id) ?? now[at] ?? now.at(-1);
    focusOn(row && controls(row).at(fromEnd));
  }

  oldRow(job) {
    const remove = async () => {
      try {
        await call(`/studio/jobs/${job.id}`, { method: "DELETE" });
      } catch (refusal) {
        toast(refusal.message, "error");
      }
      this.load();
    };
    const name = { data: { go: "create", job: job.id }, href: `/?job=${job.id}` };
    const said = job.diagnosis?.[language];
    return h("li", { class: `job-row ${job.status}`, data: { job: job.id } },
      h("a", { class: "thumb", tabIndex: -1, "aria-hidden": true, ...name }, h("img", { src: job.poster, alt: "", loading: "lazy" })),
      h("div", { class: "row-words" }, h("a", { class: "name", ...name }, job.name),
        h("span", { class: "facts" }, [t(`now.${job.status}`), job.finished ? when(job.finished) : "", describe(job.settings)].filter(Boolean).join(" · ")),
        said ? h("span", { class: "why" }, said.title) : "", said ? h("span", { class: "fix" }, h("b", {}, t("why.fix")), " ", said.fix) : "",
        h("div", { class: "mend" }, mends(job, this.hooks))),
      h("div", { class: "row-acts" },
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
