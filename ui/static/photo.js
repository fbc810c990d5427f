// The photo picker: choose, drop or paste; the server normalises and shows it (browsers cannot show HEIC).

import { focusOn, h, icon, ICONS, recall, remember, setText, show } from "./dom.js";
import { language, t } from "./i18n.js";
import { call, upload } from "./net.js";

const ACCEPT = "image/*,.heic,.heif,.avif,.tif,.tiff,.bmp";
const MOST = 50;
const UNSEEN_CUT = 0.04; // a strip that nobody misses is not worth a mark (pipeline/media/sizes.py: SAME_SHAPE)
const UNSEEN_PAD = 0.01; // the same for padding (TRIM)

function isVideo(file) {
  return file.type === "video/mp4" || file.name.toLowerCase().endsWith(".mp4");
}

export class PhotoPicker {
  /**
   * changed(photos): called with the ready photos; each has id, name, width, height, view, sizes.
   * settings(values): called with those of a video that somebody dropped.
   * reveal(): called when something comes from outside, by drop or paste, whatever view is shown.
   */
  constructor(root, changed, settings, reveal, limit) {
    this.changed = changed;
    this.settings = settings;
    this.reveal = reveal;
    this.limit = limit;
    this.photos = recall("photos", []).filter((photo) => photo?.id);
    this.travelling = new Set();
    this.waiting = [];
    this.adding = false;
    this.build(root);
    this.listen();
    this.restore();
  }

  build(root) {
    this.input = h("input", {
      type: "file", accept: ACCEPT, multiple: true, class: "unseen", id: "photo-file",
      onchange: () => this.take([...this.input.files], this.adding), oncancel: () => (this.adding = false),
    });
    this.words = h("span", { class: "drop-words" });
    this.hint = h("span", { class: "drop-hint" });
    this.area = h("label", { class: "drop", htmlFor: "photo-file" }, icon(ICONS.photo), this.words, this.hint);
    this.sample = h("button", { type: "button", class: "link sample", onclick: () => this.takeSample() });
    this.shown = h("div", { class: "photos", hidden: true });
    this.bar = h("i");
    this.progress = h("div", { class: "upload", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, hidden: true }, this.bar);
    this.cancel = h("button", { type: "button", class: "action cancel", hidden: true, onclick: () => this.giveUp() }, icon(ICONS.close), h("span"));
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.notes = h("ul", { class: "warnings", role: "status", hidden: true });
    this.box = h("div", { class: "picker" }, this.input, this.area, this.shown, this.progress, this.cancel);
    root.append(this.box, this.sample, this.problem, this.notes);
    this.label();
  }

  label() {
    setText(this.words, t("photo.drop"));
    setText(this.hint, t("photo.hint", { mb: this.limit >> 20 }));
    setText(this.sample, t("photo.sample"));
    this.input.setAttribute("aria-label", t("photo.choose"));
    this.progress.setAttribute("aria-label", t("photo.upload"));
    setText(this.cancel.querySelector("span"), t("photo.cancel"));
    this.draw();
  }

  listen() {
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.reveal();
      this.take(files);
    });
    const over = (yes) => this.box.classList.toggle("over", yes);
    let inside = false; // a picture or a row of this page is dragged: browsers offer it as a file, too
    document.addEventListener("dragstart", () => (inside = true));
    document.addEventListener("dragend", () => (inside = false));
    document.addEventListener("dragover", (event) => {
      if (inside || ![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
    document.addEventListener("drop", (event) => {
      over(false);
      if (inside || !event.dataTransfer.files.length) return;
      event.preventDefault();
      this.reveal();
      this.take([...event.dataTransfer.files]);
    });
  }

  /** The photos of the last visit are shown at once; those that the server has let go since go from here, too. */
  async restore() {
    const known = this.photos;
    const found = await Promise.all(known.map(({ id }) => call(`/studio/photos/${encodeURIComponent(id)}`).catch((refusal) => refusal.status === 404 && null)));
    const gone = known.filter((_, at) => found[at] === null);
    if (gone.length) this.set(this.photos.filter((photo) => !gone.includes(photo)));
  }

  /** Upload them. add: beside those that are there, else in their place. */
  async take(files, add = false) {
    this.adding = false;
    this.input.value = "";
    const before = this.photos;
    await this.travel(!add && !files.every(isVideo), async (signal) => {
      const ready = [];
      const problems = [];
      for (const [at, file] of files.slice(0, MOST).entries()) {
        try {
          const progress = (part) => this.progressed((at + part) / files.length);
          if (isVideo(file)) {
            this.settings(await upload(file, progress, signal, "/studio/settings")); // that one of our videos was made with
            continue;
          }
          if (file.size > this.limit) throw new Error(t("photo.too_large", { name: file.name, mb: this.limit >> 20 }));
          ready.push(await upload(file, progress, signal));
        } catch (error) {
          if (signal.aborted) return;
          problems.push(error.message);
        }
      }
      const meanwhile = this.photos.filter((photo) => !before.includes(photo)); // added while these travelled
      const all = add ? [...this.photos, ...ready] : [...ready, ...meanwhile];
      if (files.length > MOST || all.length > MOST) problems.push(t("photo.too_many", { most: MOST }));
      if (ready.length) this.set(all.slice(0, MOST));
      this.complain(problems.join("\n"));
    });
  }

  takeSample() {
    return this.travel(true, async (signal) => {
      try {
        this.set([await call("/studio/photos/sample", { method: "POST", signal })]);
      } catch (error) {
        if (!signal.aborted) this.complain(error.message);
      }
    });
  }

  /** While `work(signal)` is under way something travels. instead: of whatever travels already; it is dropped. */
  async travel(instead, work) {
    if (instead) this.stop();
    this.complain("");
    const turn = new AbortController();
    this.travelling.add(turn);
    this.drawTravel();
    try {
      await work(turn.signal);
    } finally {
      this.travelling.delete(turn);
      this.drawTravel();
    }
    if (!this.travelling.size) this.settle(this.problem.hidden);
  }

  stop() {
    for (const turn of this.travelling) turn.abort();
  }

  /** By hand: what waits for the photos goes without them nowhere. */
  giveUp() {
    this.settle(false);
    this.stop();
  }

  set(photos) {
    this.photos = photos;
    remember("photos", photos);
    this.draw();
  }

  drawTravel() {
    this.progressed(0);
    show(this.progress, this.travelling.size > 0);
    show(this.cancel, this.travelling.size > 0);
  }

  progressed(part) {
    this.bar.style.setProperty("width", `${100 * part}%`);
    this.progress.setAttribute("aria-valuenow", Math.round(100 * part));
  }

  /** When nothing travels any more: whether all of it was taken. */
  settled() {
    return this.travelling.size ? new Promise((resolve) => this.waiting.push(resolve)) : true;
  }

  settle(taken) {
    for (const go of this.waiting.splice(0)) go(taken);
  }

  complain(text) {
    setText(this.problem, text);
    show(this.problem, text !== "");
  }

  draw() {
    const one = this.photos.length === 1;
    show(this.area, this.photos.length === 0);
    show(this.sample, this.photos.length === 0);
    show(this.shown, this.photos.length > 0);
    this.shown.classList.toggle("one", one);
    this.shown.replaceChildren(
      ...this.photos.map((photo) => this.tile(photo)),
      h("button", { type: "button", class: "add", onclick: () => this.choose({ add: true }) }, icon(ICONS.plus), t("photo.add")),
    );
    const notes = this.photos.flatMap((photo) => photo.notes?.[language] ?? []);
    show(this.notes, notes.length > 0);
    this.notes.replaceChildren(...notes.map((note) => h("li", {}, note)));
    this.changed(this.photos);
  }

  tile(photo) {
    const ground = h("div", { class: "ground", hidden: true });
    ground.style.backgroundImage = `url("${photo.view}")`;
    return h("figure", {},
      h("div", { class: "canvas" }, ground, h("img", { src: photo.view, alt: photo.name, width: photo.width, height: photo.height }), h("div", { class: "frame", "aria-hidden": true, hidden: true })),
      h("figcaption", { title: photo.name }, `${photo.name} · ${photo.width} × ${photo.height}`),
      h("div", { class: "over-tools" },
        h("button", { type: "button", class: "chip", onclick: () => this.choose(), title: t("photo.replace"), "aria-label": t("photo.replace") }, icon(ICONS.photo)),
        h("button", {
          type: "button", class: "chip", title: t("photo.remove"), "aria-label": t("photo.remove"),
          onclick: () => this.remove(photo),
        }, icon(ICONS.close)),
      ),
    );
  }

  remove(photo) {
    const at = this.photos.indexOf(photo);
    this.set(this.photos.filter((other) => other !== photo));
    const figures = this.shown.querySelectorAll("figure");
    const next = figures[Math.min(at, figures.length - 1)];
    focusOn(next ? next.querySelector(".chip:last-child") : this.input);
  }

  choose({ add = false } = {}) {
    this.adding = add;
    this.input.click();
  }

  /** Show what the clip makes of a panorama: the part it keeps, or the ground around it. size(photo): the clip's [width, height]. */
  frame(size, fit) {
    for (const [at, figure] of [...this.shown.querySelectorAll("figure")].entries()) {
      const photo = this.photos[at];
      const shape = photo.width / photo.height;
      const wanted = size(photo);
      const clip = wanted ? wanted[0] / wanted[1] : shape;
      const keep = clip / shape;
      const padded = fit === "pad" && Math.abs(Math.log(keep)) > UNSEEN_PAD;
      const cut = fit === "crop" && Math.abs(Math.log(keep)) > UNSEEN_CUT;
      const [canvas, mark] = [figure.querySelector(".canvas"), figure.querySelector(".frame")];
      canvas.style.setProperty("--ratio", padded ? clip : shape);
      show(figure.querySelector(".ground"), padded);
      show(mark, cut);
      if (cut) mark.style.setProperty("inset", keep < 1 ? `0 ${50 * (1 - keep)}%` : `${50 * (1 - 1 / keep)}% 0`);
    }
  }

  focus() {
    this.complain(t("photo.missing"));
    this.input.focus();
  }
}
