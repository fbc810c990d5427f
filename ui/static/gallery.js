// Finished videos: posters that play under the pointer, loaded page by page, with delete and undo.

import { calm, focusOn, h, icon, ICONS, setText, show, toast } from "./dom.js";
import { t, when } from "./i18n.js";
import { call } from "./net.js";
import { describe } from "./queue.js";

const PAGE = 24;
const UNDO_MS = 7000;

export class GalleryView {
  /** hooks: open(job id), use(settings) */
  constructor(hooks) {
    this.hooks = hooks;
    this.jobs = [];
    this.active = [];
    this.next = null; // what the last page named as its end; null: nothing is known yet
    this.ended = false;
    this.failed = false;
    this.filters = { text: "", model: "", resolution: "", days: "", favourite: false };
    this.asked = 0;
    this.leaving = new Map();
  }

  build(root, options) {
    this.root = root;
    this.options = options;
    this.title = h("h2");
    this.text = h("input", { type: "search", class: "small", oninput: () => this.filter("text", this.text.value.trim()) });
    this.model = h("select", { class: "small", onchange: () => this.filter("model", this.model.value) });
    this.resolution = h("select", { class: "small", onchange: () => this.filter("resolution", this.resolution.value) });
    this.days = h("select", { class: "small", onchange: () => this.filter("days", this.days.value) });
    this.starred = h("button", { type: "button", class: "plain small icon star", onclick: () => this.filter("favourite", !this.filters.favourite) }, icon(ICONS.star));
    this.grid = h("ul", { class: "gallery" });
    this.empty = h("p", { class: "nothing", hidden: true });
    this.more = h("button", { type: "button", class: "action more", onclick: () => this.load() });
    root.append(h("div", { class: "list-head" }, this.title, h("div", { class: "filters" }, this.text, this.model, this.resolution, this.days, this.starred)), this.empty, this.grid, this.more);
    new IntersectionObserver((seen) => seen[0].isIntersecting && this.visible && !this.failed && this.load()).observe(this.more);
    window.addEventListener("pagehide", () => this.flush());
    document.addEventListener("language", () => this.label());
    this.label();
  }

  label() {
    setText(this.title, t("gallery.title"));
    this.text.placeholder = t("gallery.search");
    this.text.setAttribute("aria-label", t("gallery.search"));
    const choices = (select, label, names) => {
      const chosen = select.value;
      select.setAttribute("aria-label", label);
      select.replaceChildren(h("option", { value: "" }, label), ...names.map((name) => h("option", { value: name, selected: name === chosen }, name)));
    };
    choices(this.model, t("gallery.all_models"), this.options.models.map((model) => model.name));
    choices(this.resolution, t("gallery.all_sizes"), this.options.resolutions.map((one) => one.name));
    const since = this.days.value;
    this.days.setAttribute("aria-label", t("gallery.days"));
    this.days.replaceChildren(...["", "1", "7", "30"].map((days) => h("option", { value: days, selected: days === since }, t(`gallery.days_${days || "all"}`))));
    for (const attribute of ["title", "aria-label"]) this.starred.setAttribute(attribute, t("gallery.favourites"));
    this.draw();
  }

  shown(yes) {
    this.visible = yes;
    if (yes) this.reload();
  }

  /** A job that is gone from the line may be a new video. */
  machine({ active }) {
    const left = this.active.some((job) => !active.find((other) => other.id === job.id));
    this.active = active;
    if (left && this.visible) this.renew();
  }

  /** From the beginning; what is shown stays until the answer is there. */
  reload() {
    this.next = null;
    this.ended = false;
    return this.load(true);
  }

  async load(anew = this.next === null) {
    if ((this.loading && !anew) || this.ended) return;
    this.loading = true;
    const asked = (this.asked += 1);
    try {
      const found = await call(`/studio/jobs?${this.query(anew ? "" : this.next)}`);
      if (asked !== this.asked) return; // another filter has been chosen meanwhile
      if (anew) {
        this.jobs = [];
        this.grid.replaceChildren();
      }
      this.failed = false;
      this.next = found.next;
      this.ended = !found.next;
      this.jobs.push(...found.jobs);
      this.grid.append(...found.jobs.map((job) => this.tile(job)));
    } catch (refusal) {
      if (asked !== this.asked) return;
      this.failed = true;
      toast(refusal.message, "error");
    } finally {
      if (asked === this.asked) this.loading = false;
    }
    this.sift();
    if (!this.failed && !this.ended && this.visible && this.more.getBoundingClientRect().top < innerHeight) this.load();
  }

  /** Videos that are newer than what is shown come before it; the place in the list is kept. */
  async renew() {
    if (this.loading || this.next === null) return this.reload();
    const { asked } = this;
    const found = await call(`/studio/jobs?${this.query("")}`).catch(() => null); // the banner says what is wrong
    if (!found || asked !== this.asked) return;
    const fresh = found.jobs.filter((job) => !this.jobs.some((known) => known.id === job.id));
    if (found.next && fresh.length === found.jobs.length) return this.reload(); // more than a page of them
    this.jobs.unshift(...fresh);
    this.grid.prepend(...fresh.map((job) => this.tile(job)));
    this.sift();
  }

  /** after: what the last page named as its end, so that a video that is finished meanwhile moves no page. */
  query(after) {
    const { text, model, resolution, days, favourite } = this.filters;
    const query = new URLSearchParams({ kind: "done", after, limit: PAGE, text, model, resolution, favourite });
    if (days) query.set("since", Math.floor(Date.now() / 1000 - days * 86400));
    return query;
  }

  draw() {
    this.grid.replaceChildren(...this.jobs.map((job) => this.tile(job)));
    this.sift();
  }

  filter(key, value) {
    this.filters[key] = value;
    this.starred.setAttribute("aria-pressed", this.filters.favourite);
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.reload(), key === "text" ? 250 : 0);
  }

  /** Hides what is about to be deleted, and says so when nothing is left. */
  sift() {
    let count = 0;
    for (const [at, tile] of [...this.grid.children].entries()) {
      const stays = !this.leaving.has(this.jobs[at].id);
      show(tile, stays);
      count += stays;
    }
    const narrowed = Object.values(this.filters).some(Boolean);
    setText(this.empty, t(narrowed ? "gallery.nothing" : "gallery.empty"));
    show(this.empty, count === 0 && this.ended);
    setText(this.more, t(this.failed ? "action.again" : "gallery.more"));
    show(this.more, this.failed || Boolean(this.next));
  }

  tile(job) {
    const picture = h("img", { src: job.video.still, alt: "", loading: "lazy", width: job.video.width, height: job.video.height });
    const open = h("a", { class: "cover", href: `/?job=${job.id}`, data: { go: "create", job: job.id }, "aria-label": job.name }, picture);
    const play = () => {
      if (open.querySelector("video") || calm()) return;
      const video = h("video", { src: job.video.url, muted: true, loop: true, playsInline: true, autoplay: true });
      video.muted = true;
      open.append(video);
    };
    const stop = () => open.querySelector("video")?.remove();
    const act = (name, path, action) => h("button", { type: "button", class: "chip", title: t(`action.${name}`), "aria-label": `${t(`action.${name}`)}: ${job.name}`, onclick: action }, icon(path));
    return h("li", { class: "tile", data: { id: job.id }, onpointerenter: play, onpointerleave: stop, onfocusin: play, onfocusout: stop }, open,
      h("div", { class: "over-tools" },
        h("a", { class: "chip", href: job.video.download, title: t("action.download"), "aria-label": `${t("action.download")}: ${job.name}` }, icon(ICONS.download)),
        this.star(job),
        act("use", ICONS.sliders, () => this.hooks.use(job.settings)),
        act("delete", ICONS.trash, () => this.remove(job))),
      h("div", { class: "tile-words" }, h("b", {}, job.name), h("span", { class: "facts" }, describe(job.settings)), h("span", { class: "facts" }, when(job.finished))));
  }

  star(job) {
    const button = h("button", { type: "button", class: "chip star", onclick: async () => {
      try {
        Object.assign(job, await call(`/studio/jobs/${job.id}/favourite`, { method: "POST", body: { favourite: !job.favourite } }));
        label();
      } catch (refusal) {
        toast(refusal.message, "error");
      }
    } }, icon(ICONS.star));
    const label = () => {
      button.setAttribute("aria-pressed", job.favourite);
      button.title = t("action.favourite");
      button.setAttribute("aria-label", `${t("action.favourite")}: ${job.name}`);
    };
    label();
    return button;
  }

  /** Gone from sight at once, from the disk only when nobody has called it back, here or from another view. */
  remove(job) {
    const box = toast(t("gallery.deleted", { name: job.name }), "info", UNDO_MS);
    const timer = setTimeout(() => this.finish(job.id), UNDO_MS);
    box.append(" ", h("button", { type: "button", class: "link", onclick: () => this.undo(job.id) }, t("gallery.undo")));
    this.leaving.set(job.id, { timer, box });
    const tiles = [...this.grid.children];
    const at = this.jobs.indexOf(job);
    this.sift();
    const next = [...tiles.slice(at), ...tiles.slice(0, at).reverse()].find((tile) => !tile.hidden);
    focusOn(next?.querySelector(".over-tools .chip:last-child"));
  }

  undo(id) {
    this.decided(id);
    this.sift();
    focusOn(this.visible && this.grid.querySelector(`[data-id="${id}"] .cover`));
  }

  /** Whatever was decided: there is nothing to be called back any more. */
  decided(id) {
    const { timer, box } = this.leaving.get(id);
    clearTimeout(timer);
    box.remove();
    this.leaving.delete(id);
  }

  finish(id) {
    this.decided(id);
    const at = this.jobs.findIndex((job) => job.id === id);
    if (at >= 0) {
      this.jobs.splice(at, 1);
      this.grid.children[at]?.remove();
    }
    call(`/studio/jobs/${id}`, { method: "DELETE", keepalive: true }).catch((refusal) => {
      if (refusal.status === 404) return; // another tab was quicker
      toast(refusal.message, "error");
      if (this.visible) this.reload();
    });
  }

  flush() {
    for (const id of [...this.leaving.keys()]) this.finish(id);
  }
}
