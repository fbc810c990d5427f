// @ts-check
// The form's fields in the language that is shown: three choices, and the rest folded away.

import { language, t } from "../lib/catalogue.js";
import { h, icon, ICONS, setText, show } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { recall } from "../lib/storage.js";
import { changes, clipSize, frameCount, motionNumber, motionOf, numberOf, shapes, shownRate, sliders, takes, textOf, usual } from "./form_values.js";
import { Ideas } from "./ideas.js";
import { Loras } from "./loras.js";
import { ModelPick } from "./models/pick.js";
import { Segments } from "./segments.js";

/** @import { FormValues, ModelOption, NumberRange, Options, Photo, Quality, TextSetting } from "../types.d.ts" */

const MODES = ["best", "balanced", "fast"];
const MOTIONS = ["gentle", "normal", "strong"];

/**
 * @typedef {object} FieldActs
 * @property {(values: Partial<FormValues>) => void} change
 * @property {() => void} toggled the folded settings are open now, or closed
 * @property {() => void} models show them all
 * @property {(files: File[]) => Promise<void>} video take the settings of that file
 */

export class FormFields {
  /** @param {Options} options @param {FormValues} values @param {FieldActs} acts */
  constructor(options, values, acts) {
    this.options = options;
    this.acts = acts;
    const quality = (/** @type {FormValues} */ now) => options.qualities.find((one) => one.name === now.quality);
    const duration = (/** @type {FormValues} */ now) => options.durations.find((one) => one.seconds === now.seconds);
    const model = (/** @type {FormValues} */ now) => options.models.find((one) => one.name === now.model);
    /** @type {ModelOption | undefined} */
    this.shown = undefined; // the model that was drawn last
    this.ideas = new Ideas(options.ideas, t("form.ideas"), (prompt) => acts.change({ prompt }));
    this.texts = options.texts.map((text) => this.textField(text));
    this.shape = new Segments("shape", this.label("shape"), shapes(options).map((shape) => ({
      value: shape, title: shape === "photo" ? t("form.shape_photo") : shape, note: () => "",
    })), (value) => acts.change({ shape: String(value), position: null }));
    this.resolution = new Segments("resolution", this.label("resolution"), options.resolutions.map((one) => ({
      value: one.name, title: one.name, note: (now, photo) => clipSize(one, photo, now.shape).join(" × "),
    })), (value) => acts.change({ resolution: String(value) }));
    this.seconds = new Segments("seconds", this.label("seconds"), options.durations.map((one) => ({
      value: one.seconds, title: t("form.seconds_value", { n: one.seconds }), note: (now) => t("form.frames", { n: frameCount(one, quality(now), model(now)) }),
    })), (value) => acts.change({ seconds: Number(value) }));
    this.quality = new Segments("quality", this.label("quality"), options.qualities.map((one) => ({
      value: one.name, title: qualityLabel(one), advanced: one.advanced, note: (now) => t("form.per_second", { n: shownRate(duration(now), one, model(now)) }),
    })), (value) => acts.change({ quality: String(value) }));
    this.motion = new Segments("motion", t("form.motion"), MOTIONS.map((motion) => ({ value: motion, title: t(`motion.${motion}`), note: () => "" })),
      (value) => this.shown && acts.change({ motion_bucket_id: motionNumber(String(value), this.shown) }));
    this.mode = new Segments("mode", this.label("mode"), MODES.map((mode) => ({ value: mode, title: t(`mode.${mode}`), note: () => "" })), (value) => acts.change({ mode: String(value) }));
    this.fit = new Segments("fit", this.label("fit"), ["crop", "pad"].map((fit) => ({ value: fit, title: t(`form.fit_${fit}`), note: () => "" })), (value) => acts.change({ fit: String(value) }));
    this.model = new ModelPick(this.label("model"), () => acts.models());
    const seed = options.numbers.find(({ key }) => key === "seed");
    this.seed = h("input", {
      id: "f-seed", type: "number", min: seed?.min, max: seed?.max, step: seed?.step, inputMode: "numeric", value: values.seed ?? "", placeholder: t("form.seed_random"),
    });
    this.seed.addEventListener("input", () => acts.change({ seed: this.seed.value === "" ? null : Number(this.seed.value) }));
    this.sliders = sliders(options).map((range) => this.slider(range));
    this.detail = this.checkbox("detail");
    this.loop = this.checkbox("loop");
    this.loopNote = h("p", { class: "model-note", hidden: true });
    this.loopRow = this.switchRow("loop", this.loop, this.loopNote);
    this.int8 = this.checkbox("int8");
    this.int8Row = this.switchRow("int8", this.int8);
    this.loras = new Loras(options, (loras) => acts.change({ loras }));
    this.upscaler = this.upscalerSelect();
    this.upscalerNote = h("p", { class: "model-note" });
    this.chosen = h("span", { class: "chosen" });
    this.advanced = h("details", { class: "advanced", open: recall("advanced", false), ontoggle: () => acts.toggled() },
      h("summary", {}, icon(ICONS.sliders), h("span", {}, t("form.advanced")), this.chosen),
      h("div", { class: "advanced-body" }, this.int8Row, ...this.textRows(true), this.seedRow(), this.loopRow, ...this.sliders.map(({ element }) => element), this.loras.element, this.fitRow(), this.switchRow("detail", this.detail), this.row("upscaler", this.upscaler, this.upscalerNote), this.videoRow()));
    this.elements = [...this.textRows(false), this.shape.element, this.seconds.element, this.quality.element, this.resolution.element, this.motion.element, this.mode.element, this.model.element, this.advanced];
  }

  /** @param {string} key */
  label(key) {
    return this.options.settings[key].label[language];
  }

  /** @param {string} key */
  help(key) {
    return h("p", { class: "help", id: `f-${key}-help` }, this.options.settings[key].help[language]);
  }

  /** @param {string} key @param {HTMLElement} control @param {HTMLElement[]} more */
  row(key, control, ...more) {
    return h("div", { class: `field ${key}` }, h("label", { htmlFor: `f-${key}` }, this.label(key)), control, ...more, this.help(key));
  }

  /** Those that are downloaded can be chosen; the others are named. */
  upscalerSelect() {
    const select = h("select", { id: "f-upscaler" }, h("option", { value: "" }, t("form.upscaler_none")),
      ...this.options.upscalers.map((one) => h("option", { value: one.name, disabled: Boolean(one.missing) }, one.missing ? t("form.model_missing", { label: one.label }) : one.label)));
    select.addEventListener("change", () => this.acts.change({ upscaler: select.value || null }));
    return select;
  }

  seedRow() {
    const clear = () => {
      this.seed.value = "";
      this.acts.change({ seed: null });
    };
    return this.row("seed", this.seed, h("button", { type: "button", class: "plain small", onclick: clear }, t("form.seed_clear")));
  }

  /** @param {string} key */
  resetButton(key) {
    const words = t("form.reset", { label: this.label(key) });
    return h("button", { type: "button", class: "plain small icon", onclick: () => this.acts.change({ [key]: null }), title: words, "aria-label": words }, icon(ICONS.again));
  }

  /** @param {TextSetting} text */
  textField(text) {
    const { key, most } = text;
    const input = h("textarea", { id: `f-${key}`, rows: 2, maxLength: most, dir: "auto", placeholder: text.folded ? "" : t("form.prompt_hint"), "aria-describedby": `f-${key}-help` });
    input.addEventListener("input", () => this.acts.change({ [key]: input.value }));
    const reset = this.resetButton(key);
    return { text, input, reset, element: this.row(key, input, ...(text.folded ? [reset] : [this.ideas.element])) };
  }

  /** @param {boolean} folded */
  textRows(folded) {
    return this.texts.filter(({ text }) => text.folded === folded).map(({ element }) => element);
  }

  /** @param {NumberRange} range */
  slider(range) {
    const { key, min, max, step } = range;
    const output = h("output", { htmlFor: `f-${key}` });
    const input = h("input", { id: `f-${key}`, type: "range", min, max, step });
    input.addEventListener("input", () => this.acts.change({ [key]: Number(input.value) }));
    const reset = this.resetButton(key);
    return { range, input, output, reset, element: this.row(key, input, output, reset) };
  }

  fitRow() {
    return h("div", { class: "field fit" }, this.fit.element, this.help("fit"));
  }

  /** @param {"detail" | "loop" | "int8"} key */
  checkbox(key) {
    const box = h("input", { id: `f-${key}`, type: "checkbox" });
    box.addEventListener("change", () => this.acts.change({ [key]: box.checked }));
    return box;
  }

  /** @param {string} key @param {HTMLElement} box @param {HTMLElement[]} more */
  switchRow(key, box, ...more) {
    return h("div", { class: `field ${key}` }, h("label", { class: "switch", htmlFor: `f-${key}` }, box, h("span", {}, this.label(key))), ...more, this.help(key));
  }

  /** A loop has no other last picture. @param {boolean} held one is chosen */
  holdLoop(held) {
    this.loop.disabled = held;
    setText(this.loopNote, held ? t("form.loop_held") : "");
    show(this.loopNote, held);
  }

  /** Settings from one of our video files; it may be dropped on the page as well. */
  videoRow() {
    const input = h("input", { id: "f-video", type: "file", accept: "video/mp4,.mp4", class: "unseen" });
    input.addEventListener("change", () => this.acts.video([...(input.files ?? [])]).then(() => (input.value = "")));
    return h("div", { class: "field video" }, input, h("label", { class: "action", htmlFor: "f-video" }, icon(ICONS.sliders), h("span", {}, t("form.video"))), h("p", { class: "help" }, t("help.video")));
  }

  /** @param {FormValues} values @param {ModelOption} model the chosen one @param {Photo} [photo] the first */
  draw(values, model, photo) {
    for (const group of [this.shape, this.resolution, this.seconds, this.quality, this.mode, this.fit]) group.draw(values, photo);
    this.mode.offer(Object.keys(model.modes));
    this.drawMotion(values, model);
    const advanced = this.options.qualities.find((one) => one.name === values.quality)?.advanced ?? false;
    this.quality.element.classList.toggle("with-advanced", this.advanced.open || advanced);
    this.model.draw(model);
    for (const { range, input, output, reset, element } of this.sliders) {
      const chosen = numberOf(values, range.key);
      const value = chosen ?? usual(model, range.key, values.mode) ?? range.min;
      if (Number(input.value) !== value) input.value = String(value);
      setText(output, number(value, range.step < 1 ? 2 : 0));
      reset.classList.toggle("invisible", chosen === null);
      show(element, takes(model, range));
    }
    this.loop.checked = values.loop;
    show(this.loopRow, model.takes.includes("loop"));
    this.int8.checked = values.int8;
    show(this.int8Row, model.takes.includes("int8"));
    this.loras.draw(values.loras, model);
    for (const { text, input, reset, element } of this.texts) {
      const chosen = textOf(values, text.key);
      const value = chosen ?? textOf(model.sampling, text.key) ?? "";
      if (input.value !== value) input.value = value;
      reset.classList.toggle("invisible", chosen === null);
      show(element, takes(model, text));
    }
    this.ideas.draw(values.prompt, model);
    this.detail.checked = values.detail;
    this.upscaler.value = values.upscaler ?? "";
    this.noteUpscaler(values);
    const changed = changes(values, this.options);
    setText(this.chosen, [values.seed === null ? "" : t("form.seed_is", { seed: values.seed }), changed ? t("form.changed", { n: changed }) : ""].filter(Boolean).join(" · "));
  }

  /** A number of one's own is none of the words, and is told beside them. @param {FormValues} values @param {ModelOption} model */
  drawMotion(values, model) {
    this.shown = model;
    const motion = motionOf(values, model);
    this.motion.offer(Object.keys(model.motions));
    this.motion.draw(values, undefined, motion);
    setText(this.motion.aside, motion || values.motion_bucket_id === null ? "" : t("form.motion_own", { n: values.motion_bucket_id }));
  }

  /** What the chosen one does, and the place that gets them where there is none. @param {FormValues} values */
  noteUpscaler(values) {
    const { upscalers } = this.options;
    const chosen = upscalers.find((one) => one.name === values.upscaler);
    const parts = chosen ? [h("span", {}, chosen.summary[language]), " ", h("span", { class: "notice" }, chosen.licence.notice)] : [];
    if (!upscalers.some((one) => !one.missing)) parts.push(h("a", { href: "./?view=system", data: { go: "system" } }, t("form.upscaler_get")));
    this.upscalerNote.replaceChildren(...parts);
    show(this.upscalerNote, parts.length > 0);
  }
}

/** @param {Quality} quality */
function qualityLabel(quality) {
  /** @type {Record<string, string>} */
  const known = { standard: "quality.standard", smooth: "quality.smooth", sampled: "quality.sampled" };
  return known[quality.name] ? t(known[quality.name]) : quality.label;
}
