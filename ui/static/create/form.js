// @ts-check
// The form of a new video: photo, three choices, one loud button, and the rest folded away.

import { anyLeft } from "../job/job_words.js";
import { language, t } from "../lib/catalogue.js";
import { h, keepFocus, setText, show, toast } from "../lib/dom.js";
import { commandKey } from "../lib/keyboard.js";
import { call } from "../lib/net.js";
import { recall, remember } from "../lib/storage.js";
import { Costs } from "./costs.js";
import { FormFields } from "./form_fields.js";
import { arrival, asked, costQuery, costTexts, EMPTY, knownSize, offers, replaced, said, sameOffer, usable, withListOfLoras } from "./form_values.js";
import { openChooser } from "./models/chooser.js";
import { ModelNote } from "./models/note.js";
import { DropOverlay, listenForFiles } from "./photo/dropped_files.js";
import { LastPicture } from "./photo/last_picture.js";
import { FIRST, PhotoPicker } from "./photo/picker.js";
import { Takes } from "./takes.js";

/** @import { ActiveJob, FormValues, Hooks, Job, Machine, ModelOption, Offered, Options } from "../types.d.ts" */

export class Form {
  /**
   * @param {HTMLElement} root
   * @param {Options} options
   * @param {(jobs: Job[]) => void} started called with the queued jobs
   * @param {() => void} reveal show the form, where another view is shown
   */
  constructor(root, options, started, reveal) {
    this.root = root;
    this.options = options;
    this.started = started;
    this.sending = false;
    /** @type {ActiveJob[]} */
    this.active = []; // one's own jobs that run or wait
    this.chose = false; // whether the user chose the model
    this.values = this.take({ ...EMPTY, ...withListOfLoras(recall("form", {})) });
    this.button = h("button", { type: "button", class: "generate", id: "generate", onkeydown: (event) => event.repeat && event.preventDefault(), onclick: (event) => event.detail < 2 && this.generate() });
    this.buttonText = h("span");
    this.button.append(this.buttonText, h("kbd", { "aria-hidden": true }, `${commandKey(navigator.platform)} ↵`));
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.note = new ModelNote(options.owns_machine);
    this.takes = new Takes(() => this.update());
    this.costs = new Costs(() => this.drawCosts());
    this.rest = h("div", { class: "rest" });
    /** @type {FormFields | null} */
    this.fields = null; // while the picker is made
    this.firstTitle = h("p", { class: "end-title" });
    const first = h("div", { class: "first-box" }, this.firstTitle);
    const photoBox = h("div", { class: "photo-box" }, first);
    root.append(h("div", { class: "fields" }, photoBox, this.rest));
    const both = { changed: () => this.update(), settings: (/** @type {FormValues} */ values) => this.use(values) };
    this.picker = new PhotoPicker(FIRST, first, first, options.photo_bytes, { ...both, moved: (position) => this.change({ position }) });
    this.last = new LastPicture(photoBox, options.photo_bytes, { ...both, moved: (position) => position !== null && this.change({ position }) });
    const overlay = new DropOverlay();
    const take = (/** @type {File[]} */ files, /** @type {boolean} */ last) => {
      reveal();
      (last && this.last.offered ? this.last.picker : this.picker).take(files);
    };
    listenForFiles(take, (yes) => overlay.show(yes, this.last.offered));
    this.fields = this.drawRest();
    this.update();
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !this.root.offsetParent || document.querySelector("dialog[open]")) return;
      event.preventDefault(); // on a link it would open another tab
      if (!event.repeat) this.generate();
    });
    document.addEventListener("language", () => this.rebuild());
  }

  /** Only what this place can use. A model that the user has not chosen is the best one that is here. @param {FormValues} values */
  take(values) {
    this.chose = offers(this.options, values.model);
    return usable(values, this.options);
  }

  keep() {
    remember("form", { ...this.values, model: this.chose ? this.values.model : "" });
  }

  /** A job that has ended has been measured. @param {Machine} state */
  machine({ active }) {
    if (anyLeft(this.active, active) && this.root.offsetParent) this.costs.renew();
    this.active = active;
  }

  /** The models as they are now: one may have been downloaded or removed since. Whether anything is new. @param {ModelOption[]} models */
  offer(models) {
    if (this.root.offsetParent) this.costs.renew(); // one has come back to the form
    if (sameOffer(models, this.options.models)) return false;
    const arrived = arrival(this.options.models, models);
    const wanted = this.model.demo && arrived ? arrived.name : this.chose ? this.values.model : "";
    this.options.models = models;
    this.values = this.take({ ...this.values, model: wanted });
    this.keep();
    this.rebuild();
    return true;
  }

  /** The upscalers as they are now: likewise. @param {Offered[]} upscalers */
  offerUpscalers(upscalers) {
    if (sameOffer(upscalers, this.options.upscalers)) return;
    this.options.upscalers = upscalers;
    this.values = this.take(this.values);
    this.keep();
    this.rebuild();
  }

  get model() {
    const { models } = this.options;
    return models.find((model) => model.name === this.values.model) ?? models[0];
  }

  drawRest() {
    const fields = new FormFields(this.options, this.values, {
      change: (values) => this.change(values),
      toggled: () => this.toggled(),
      models: () => openChooser(this.options, this.values, this.picker.photos[0], (name) => this.change({ model: name })),
      video: (files) => this.picker.take(files),
    });
    this.takes.label();
    setText(this.firstTitle, t("photo.first_title"));
    fields.resolution.element.append(...this.costs.elements);
    this.rest.replaceChildren(...fields.elements, this.note.element, h("div", { class: "go" }, this.problem, h("div", { class: "go-row" }, this.button, this.takes.element)));
    return fields;
  }

  rebuild() {
    const open = this.fields?.advanced.open ?? false;
    this.picker.label();
    this.last.label();
    this.complain("");
    this.fields = keepFocus(this.rest, () => this.drawRest());
    this.update();
    this.fields.advanced.open = open;
  }

  /** @param {Partial<FormValues>} values */
  change(values) {
    Object.assign(this.values, values);
    if ("model" in values) {
      this.chose = true;
      this.values = usable(this.values, this.options); // the new model may lack a setting or a mode
    }
    this.keep();
    this.update();
  }

  toggled() {
    remember("advanced", this.fields?.advanced.open);
    this.update();
  }

  /** Take settings from a past job; what it names and this place lacks is said. @param {FormValues} settings */
  use(settings) {
    const wanted = { ...EMPTY, ...settings };
    this.values = this.take(wanted);
    this.keep();
    this.rebuild();
    toast(t("form.used"));
    const lacking = replaced(wanted, this.values);
    if (!lacking.length) return;
    const names = lacking.map((key) => `${this.options.settings[key].label[language]}: ${said(wanted, key)} → ${said(this.values, key) || t(key === "loras" ? "form.lora_none" : "form.upscaler_none")}`).join(", ");
    toast(t("form.replaced", { names }), "error");
  }

  /** @param {number} seed */
  useSeed(seed) {
    this.change({ seed });
    this.rebuild();
    toast(t("form.seed_used", { seed }));
  }

  /** A job's pictures in place of those that are there. @param {Parameters<Hooks["redo"]>[0]} job */
  takePhotosOf(job) {
    this.picker.takeOf(job.id);
    this.last.takeOf(job);
  }

  update() {
    if (!this.fields) return;
    const { values, model } = this;
    const { photos } = this.picker;
    this.fields.draw(values, model, photos[0]);
    this.note.draw(model);
    if (this.costs.ask(costQuery(values, photos[0], Boolean(this.last.asked)), costTexts(values, model, this.options))) this.drawCosts();
    const { videos } = this;
    this.button.classList.toggle("many", videos > 1); // its words leave no room for the keys
    setText(this.buttonText, videos > 1 ? t("form.generate_many", { n: videos }) : t("form.generate"));
    const resolution = this.options.resolutions.find((one) => one.name === values.resolution);
    const [fit, position] = [values.fit, values.position ?? 0.5];
    this.picker.frame((photo) => knownSize(resolution, photo, values.shape), fit, position);
    const able = model.takes.includes("last_photo") && Boolean(photos[0] ?? this.last.chosen); // it comes second
    this.last.draw({ able, loop: values.loop, clip: knownSize(resolution, photos[0], values.shape), fit, position });
    this.fields.holdLoop(Boolean(this.last.asked));
    if (photos.length && !this.picker.uploads.any) this.picker.forgive(); // what was refused of several stands until all are here
  }

  /** How many Generate makes. */
  get videos() {
    return Math.max(1, this.picker.photos.length) * this.takes.count;
  }

  drawCosts() {
    if (this.fields) this.costs.draw(this.fields.resolution, this.fields.mode, this.values, this.videos);
  }

  /** @param {string} text */
  complain(text) {
    setText(this.problem, text);
    show(this.problem, text !== "");
  }

  /** Wait for photos that are being uploaded; where one of them is refused, its complaint stands instead of a job. */
  async generate() {
    if (this.sending) return;
    this.complain("");
    this.sending = true;
    this.button.setAttribute("aria-busy", "true");
    try {
      if (!(await this.picker.uploads.settled()) || !(await this.last.settled())) return;
      if (!this.picker.photos.length) {
        this.picker.focus();
        return;
      }
      const photos = this.picker.photos.map((photo) => photo.id);
      const body = { photos, last_photo: this.last.asked?.id ?? "", settings: asked(this.values, this.model, this.options), takes: this.takes.count };
      const { jobs } = await call("studio/jobs", { method: "POST", body });
      this.started(jobs);
    } catch (refusal) {
      this.complain(refusal.message);
      if (refusal.gone) for (const picker of [this.picker, this.last.picker]) picker.restore();
    } finally {
      this.sending = false;
      this.button.removeAttribute("aria-busy");
    }
  }
}
