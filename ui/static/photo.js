// The photo picker: choose, drop or paste; the server normalises and shows it (browsers cannot show HEIC).

import { h, icon, ICONS, recall, remember, setText, show } from "./dom.js";
import { t } from "./i18n.js";
import { call, upload } from "./net.js";

const ACCEPT = "image/*,.heic,.heif,.avif,.tif,.tiff,.bmp";
const MOST = 50;

function isVideo(file) {
  return file.type === "video/mp4" || file.name.toLowerCase().endsWith(".mp4");
}

export class PhotoPicker {
  /**
   * changed(photos): called with the ready photos; each has id, name, width, height, view, sizes.
   * settings(values): called with those of a video that somebody dropped.
   */
  constructor(root, changed, settings, limit) {
    this.changed = changed;
    this.settings = settings;
    this.limit = limit;
    this.photos = [];
    this.busy = 0;
    this.adding = false;
    this.build(root);
    this.listen();
    this.restore();
  }

  build(root) {
    this.input = h("input", {
      type: "file", accept: ACCEPT, multiple: true, class: "unseen", id: "photo-file", onchange: () => this.take([...this.input.files]),
    });
    this.words = h("span", { class: "drop-words" });
    this.hint = h("span", { class: "drop-hint" });
    this.area = h("label", { class: "drop", htmlFor: "photo-file" }, icon(ICONS.photo), this.words, this.hint);
    this.sample = h("button", { type: "button", class: "link sample", onclick: () => this.takeSample() });
    this.shown = h("div", { class: "photos", hidden: true });
    this.bar = h("i");
    this.progress = h("div", { class: "upload", hidden: true }, this.bar);
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.box = h("div", { class: "picker" }, this.input, this.area, this.shown, this.progress);
    root.append(this.box, this.sample, this.problem);
    this.label();
  }

  label() {
    setText(this.words, t("photo.drop"));
    setText(this.hint, t("photo.hint", { mb: this.limit >> 20 }));
    setText(this.sample, t("photo.sample"));
    this.input.setAttribute("aria-label", t("photo.choose"));
    this.draw();
  }

  listen() {
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) {
        event.preventDefault();
        this.take(files);
      }
    });
    const over = (yes) => this.box.classList.toggle("over", yes);
    document.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
    document.addEventListener("drop", (event) => {
      over(false);
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      this.take([...event.dataTransfer.files]);
    });
  }

  async restore() {
    const ids = recall("photos", []);
    for (const id of ids.slice(0, MOST)) {
      try {
        this.photos.push(await call(`/studio/photos/${encodeURIComponent(id)}`));
      } catch {
        // a day has passed, or another login was here
      }
    }
    if (this.photos.length) this.draw();
  }

  async take(files) {
    const add = this.adding;
    this.adding = false;
    this.input.value = "";
    this.complain("");
    const ready = [];
    const problems = [];
    this.work(1);
    for (const [at, file] of files.slice(0, MOST).entries()) {
      try {
        if (isVideo(file)) {
          await this.read(file);
          continue;
        }
        if (file.size > this.limit) throw new Error(t("photo.too_large", { name: file.name, mb: this.limit >> 20 }));
        ready.push(await upload(file, (part) => this.bar.style.setProperty("width", `${(100 * (at + part)) / files.length}%`)));
      } catch (error) {
        problems.push(error.message);
      }
    }
    this.work(-1);
    if (ready.length) this.set(add ? [...this.photos, ...ready].slice(0, MOST) : ready);
    this.complain(problems.join("\n"));
  }

  /** The settings that one of our videos was made with. */
  async read(file) {
    this.settings(await upload(file, (part) => this.bar.style.setProperty("width", `${100 * part}%`), "/studio/settings"));
  }

  async takeSample() {
    this.complain("");
    this.work(1);
    try {
      this.set([await call("/studio/photos/sample", { method: "POST" })]);
    } catch (error) {
      this.complain(error.message);
    }
    this.work(-1);
  }

  set(photos) {
    this.photos = photos;
    remember("photos", photos.map((photo) => photo.id));
    this.draw();
  }

  work(change) {
    this.busy += change;
    this.bar.style.setProperty("width", "0");
    show(this.progress, this.busy > 0);
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
      h("button", { type: "button", class: "add", onclick: () => this.choose(true) }, icon(ICONS.plus), t("photo.add")),
    );
    this.changed(this.photos);
  }

  tile(photo) {
    return h("figure", {},
      h("img", { src: photo.view, alt: photo.name, width: photo.width, height: photo.height }),
      h("div", { class: "frame", "aria-hidden": true }),
      h("figcaption", { title: photo.name }, `${photo.name} · ${photo.width} × ${photo.height}`),
      h("div", { class: "over-tools" },
        h("button", { type: "button", class: "chip", onclick: () => this.choose(false), title: t("photo.replace"), "aria-label": t("photo.replace") }, icon(ICONS.photo)),
        h("button", {
          type: "button", class: "chip", title: t("photo.remove"), "aria-label": t("photo.remove"),
          onclick: () => this.set(this.photos.filter((other) => other !== photo)),
        }, icon(ICONS.close)),
      ),
    );
  }

  choose(add) {
    this.adding = add;
    this.input.click();
  }

  /** Show what the clip keeps of a panorama. size: [width, height] of the clip. */
  frame(size, fit) {
    for (const [at, figure] of [...this.shown.querySelectorAll("figure")].entries()) {
      const photo = this.photos[at];
      const wanted = size(photo);
      const mark = figure.querySelector(".frame");
      const keep = wanted ? (wanted[0] / wanted[1]) / (photo.width / photo.height) : 1;
      const cut = fit === "crop" && (keep < 0.97 || keep > 1.03);
      show(mark, cut);
      if (!cut) continue;
      mark.style.setProperty("inset", keep < 1 ? `0 ${50 * (1 - keep)}%` : `${50 * (1 - 1 / keep)}% 0`);
    }
  }

  focus() {
    this.complain(t("photo.missing"));
    this.input.focus();
  }
}
