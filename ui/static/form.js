// The form of a new video: photo, three choices, one loud button, and the rest folded away.

import { h, icon, ICONS, recall, remember, setText, show, toast } from "./dom.js";
import { duration, language, memory, number, t } from "./i18n.js";
import { call } from "./net.js";
import { PhotoPicker } from "./photo.js";

const SLIDERS = [
  { key: "motion_bucket_id", min: 1, max: 255, step: 1 },
  { key: "steps", min: 1, max: 100, step: 1 },
  { key: "noise_aug_strength", min: 0, max: 1, step: 0.01 },
  { key: "fps", min: 5, max: 30, step: 1 },
];
const EMPTY = {
  resolution: "480p", seconds: 6, quality: "standard", model: "", seed: null,
  motion_bucket_id: null, steps: null, noise_aug_strength: null, fps: null, fit: "crop", detail: true, upscaler: null,
};

export class Form {
  /** started(jobs): the queued jobs. reveal(): show the form, where another view is shown. */
  constructor(root, options, started, reveal) {
    this.root = root;
    this.options = options;
    this.started = started;
    this.reveal = reveal;
    this.values = this.usable({ ...EMPTY, ...recall("form", {}) });
    this.build();
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !this.root.offsetParent) return;
      event.preventDefault(); // on a link it would open another tab
      if (!event.repeat) this.generate();
    });
    document.addEventListener("language", () => this.rebuild());
  }

  /** Remembered settings may name presets that are gone. A model that nobody chose is the best one that is here. */
  usable(values) {
    const pick = (list, value, key = "name") => (list.some((item) => item[key] === value) ? value : list[0][key]);
    const ready = this.options.models.filter((model) => !model.missing);
    const first = ready.find((model) => !model.demo) ?? ready[0] ?? this.options.models[0];
    this.chose = this.options.models.some((model) => model.name === values.model);
    return {
      ...values,
      resolution: pick(this.options.resolutions, values.resolution),
      seconds: pick(this.options.durations, values.seconds, "seconds"),
      quality: pick(this.options.qualities, values.quality),
      model: this.chose ? values.model : first.name,
      upscaler: this.options.upscalers.some((one) => one.name === values.upscaler && !one.missing) ? values.upscaler : null,
    };
  }

  keep() {
    remember("form", { ...this.values, model: this.chose ? this.values.model : "" });
  }

  /** The upscalers as they are now: likewise. */
  offerUpscalers(upscalers) {
    const facts = (list) => JSON.stringify(list.map(({ name, missing }) => [name, missing?.en]));
    if (facts(upscalers) === facts(this.options.upscalers)) return;
    this.options.upscalers = upscalers;
    this.values = this.usable(this.values);
    this.keep();
    this.rebuild();
  }

  /** The models as they are now: one may have been downloaded or removed since. Whether anything is new. */
  offer(models) {
    const facts = (list) => JSON.stringify(list.map(({ name, missing }) => [name, missing?.en]));
    if (facts(models) === facts(this.options.models)) return false;
    const known = new Set(this.options.models.filter((model) => !model.missing).map((model) => model.name));
    const demo = this.model.demo;
    this.options.models = models;
    const arrived = models.find((model) => !model.missing && !model.demo && !known.has(model.name));
    const wanted = demo && arrived ? arrived.name : this.chose ? this.values.model : "";
    this.values = this.usable({ ...this.values, model: wanted });
    this.keep();
    this.rebuild();
    return true;
  }

  get model() {
    return this.options.models.find((model) => model.name === this.values.model);
  }

  build() {
    this.photoBox = h("div", { class: "photo-box" });
    this.rest = h("div", { class: "rest" });
    this.root.append(this.photoBox, this.rest);
    this.picker = new PhotoPicker(this.photoBox, () => this.update(), (settings) => this.use(settings), this.reveal, this.options.photo_bytes);
    this.drawRest();
  }

  rebuild() {
    const open = this.advanced.open;
    this.picker.label();
    this.drawRest();
    this.advanced.open = open;
  }

  drawRest() {
    this.quality = this.segments("quality", this.options.qualities.map((q) => ({
      value: q.name, title: this.qualityLabel(q), advanced: q.advanced, note: () => this.frameRate(q),
    })));
    this.groups = [
      this.segments("resolution", this.options.resolutions.map((r) => ({ value: r.name, title: r.name, note: () => this.size(r) }))),
      this.segments("seconds", this.options.durations.map((d) => ({
        value: d.seconds, title: t("form.seconds_value", { n: d.seconds }), note: () => t("form.frames", { n: this.frames(d) }),
      }))),
      this.quality,
    ];
    this.advanced = h("details", { class: "advanced", open: recall("advanced", false), ontoggle: () => this.toggled() },
      h("summary", {}, icon(ICONS.sliders), h("span", {}, t("form.advanced")), this.chosen = h("span", { class: "chosen" })),
      h("div", { class: "advanced-body" }, this.modelRow(), this.seedRow(), ...SLIDERS.map((slider) => this.sliderRow(slider)), this.fitRow(), this.detailRow(), this.upscalerRow(), this.videoRow()),
    );
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.button = h("button", { type: "button", class: "generate", id: "generate", onkeydown: (event) => event.repeat && event.preventDefault(), onclick: (event) => event.detail < 2 && this.generate() },
      this.buttonText = h("span"), h("kbd", { "aria-hidden": true }, "Ctrl ↵"));
    this.modelNote = h("p", { class: "model-note" });
    this.costWhy = h("p");
    this.costFault = h("details", { class: "cost-fault", hidden: true }, this.costWarning = h("summary", { class: "warn" }), this.costWhy);
    this.costDevice = h("p", { class: "cost-device" });
    this.rest.replaceChildren(
      ...this.groups.map((group) => group.element), this.advanced, this.modelNote, this.costDevice,
      h("div", { class: "go" }, this.problem, this.costFault, this.button),
    );
    this.update();
  }

  segments(key, items) {
    const inputs = [];
    const element = h("fieldset", { class: `segments ${key}` }, h("legend", {}, t(`form.${key}`)),
      h("div", { class: "row" }, items.map((item) => {
        const input = h("input", {
          type: "radio", name: key, value: item.value, checked: this.values[key] === item.value,
          onchange: () => this.change(key, item.value),
        });
        const note = h("small");
        const costs = key === "resolution" ? [h("small", { class: "cost" }), h("small", { class: "cost" })] : [];
        inputs.push({ input, note, costs, item });
        return h("label", { class: item.advanced ? "advanced-only" : "" }, input, h("span", {}, h("b", {}, item.title), note, costs));
      })));
    return { key, element, inputs };
  }

  row(key, control, ...more) {
    return h("div", { class: `field ${key}` }, h("label", { htmlFor: `f-${key}` }, t(`form.${key}`)), control, ...more, h("p", { class: "help" }, t(`help.${key}`)));
  }

  modelRow() {
    const select = h("select", { id: "f-model", onchange: () => this.change("model", select.value) },
      this.options.models.map((model) => h("option", { value: model.name, selected: model.name === this.values.model },
        model.missing ? t("form.model_missing", { label: model.label }) : model.label)));
    this.modelSelect = select;
    return this.row("model", select);
  }

  seedRow() {
    this.seed = h("input", {
      id: "f-seed", type: "number", min: 0, max: 4294967295, step: 1, inputMode: "numeric", value: this.values.seed ?? "",
      placeholder: t("form.seed_random"), oninput: () => this.change("seed", this.seed.value === "" ? null : Number(this.seed.value)),
    });
    const random = h("button", { type: "button", class: "plain small", onclick: () => this.setSeed(null) }, t("form.seed_clear"));
    return this.row("seed", this.seed, random);
  }

  setSeed(seed) {
    this.seed.value = seed ?? "";
    this.change("seed", seed);
  }

  sliderRow({ key, min, max, step }) {
    const output = h("output", { htmlFor: `f-${key}` });
    const input = h("input", { id: `f-${key}`, type: "range", min, max, step, oninput: () => this.change(key, Number(input.value)) });
    const reset = h("button", { type: "button", class: "plain small", onclick: () => this.change(key, null) }, t("form.reset"));
    (this.sliders ??= {})[key] = { input, output, reset };
    return this.row(key, input, output, reset);
  }

  fitRow() {
    this.fit = this.segments("fit", ["crop", "pad"].map((fit) => ({ value: fit, title: t(`form.fit_${fit}`), note: () => "" })));
    return h("div", { class: "field fit" }, this.fit.element, h("p", { class: "help" }, t("help.fit")));
  }

  detailRow() {
    this.detail = h("input", { id: "f-detail", type: "checkbox", onchange: () => this.change("detail", this.detail.checked) });
    return h("div", { class: "field detail" }, h("label", { class: "switch", htmlFor: "f-detail" }, this.detail, h("span", {}, t("form.detail"))), h("p", { class: "help" }, t("help.detail")));
  }

  /** Those that are downloaded can be chosen; the others are named, with the place that gets them. */
  upscalerRow() {
    const choice = (one) => h("option", { value: one.name, disabled: Boolean(one.missing) }, one.missing ? t("form.model_missing", { label: one.label }) : one.label);
    this.upscaler = h("select", { id: "f-upscaler", onchange: () => this.change("upscaler", this.upscaler.value || null) },
      h("option", { value: "" }, t("form.upscaler_none")), this.options.upscalers.map(choice));
    this.upscalerNote = h("p", { class: "model-note" });
    return this.row("upscaler", this.upscaler, this.upscalerNote);
  }

  noteUpscaler() {
    const chosen = this.options.upscalers.find((one) => one.name === this.values.upscaler);
    const parts = chosen ? [h("span", {}, chosen.summary[language]), " ", h("span", { class: "notice" }, chosen.licence.notice)] : [];
    if (!this.options.upscalers.some((one) => !one.missing)) parts.push(h("a", { href: "/?view=system", data: { go: "system" } }, t("form.upscaler_get")));
    this.upscalerNote.replaceChildren(...parts);
    show(this.upscalerNote, parts.length > 0);
  }

  /** Settings from one of our video files; it may be dropped on the page as well. */
  videoRow() {
    const input = h("input", { id: "f-video", type: "file", accept: "video/mp4,.mp4", class: "unseen", onchange: () => this.picker.take([...input.files]).then(() => (input.value = "")) });
    return h("div", { class: "field video" }, input, h("label", { class: "action", htmlFor: "f-video" }, icon(ICONS.sliders), h("span", {}, t("form.video"))), h("p", { class: "help" }, t("help.video")));
  }

  change(key, value) {
    this.values[key] = value;
    if (key === "model") this.chose = true;
    this.keep();
    this.update();
  }

  toggled() {
    remember("advanced", this.advanced.open);
    this.update();
  }

  /** Take settings from a past job; what it names and this place lacks is said. */
  use(settings) {
    const wanted = { ...EMPTY, ...settings };
    this.values = this.usable(wanted);
    this.keep();
    this.rebuild();
    toast(t("form.used"));
    const lacking = ["model", "resolution", "seconds", "quality", "upscaler"].filter((key) => wanted[key] && wanted[key] !== this.values[key]);
    if (!lacking.length) return;
    const names = lacking.map((key) => `${t(`form.${key}`)}: ${wanted[key]} → ${this.values[key] ?? t("form.upscaler_none")}`).join(", ");
    toast(t("form.replaced", { names }), "error");
  }

  update() {
    if (!this.button) return;
    const { values, model } = this;
    for (const group of [...this.groups, this.fit]) {
      for (const { input, note, item } of group.inputs) {
        input.checked = values[group.key] === item.value;
        setText(note, item.note());
      }
    }
    this.quality.element.classList.toggle("with-advanced", this.advanced.open || this.options.qualities.find((q) => q.name === values.quality)?.advanced);
    this.modelSelect.value = values.model;
    for (const { key } of SLIDERS) {
      const { input, output, reset } = this.sliders[key];
      const value = values[key] ?? model.sampling[key];
      if (Number(input.value) !== value) input.value = value;
      setText(output, key === "noise_aug_strength" ? number(value, 2) : number(value));
      reset.classList.toggle("invisible", values[key] === null);
    }
    this.detail.checked = values.detail;
    const changed = ["motion_bucket_id", "steps", "noise_aug_strength", "fps"].filter((key) => values[key] !== null);
    if (!values.detail) changed.push("detail");
    this.upscaler.value = values.upscaler ?? "";
    if (values.upscaler) changed.push("upscaler");
    this.noteUpscaler();
    setText(this.chosen, [model.label, values.seed === null ? "" : t("form.seed_is", { seed: values.seed }), changed.length ? t("form.changed", { n: changed.length }) : ""].filter(Boolean).join(" · "));
    this.noteModel(model);
    this.estimate();
    const count = this.picker?.photos.length ?? 0;
    setText(this.buttonText, count > 1 ? t("form.generate_many", { n: count }) : t("form.generate"));
    this.picker?.frame((photo) => photo.sizes?.[values.resolution], values.fit);
    if (count) this.picker.complain("");
  }

  noteModel(model) {
    const parts = [];
    if (model.random) parts.push(h("span", {}, t("model.random")));
    else if (model.demo) parts.push(h("span", {}, t("model.demo")));
    if (model.missing) parts.push(h("span", { class: "warn" }, model.missing[language]));
    if (model.demo || model.missing) parts.push(h("a", { href: "/?view=system", data: { go: "system" } }, t("model.real")));
    if (model.licence?.powered_by) parts.push(h("b", {}, model.licence.powered_by));
    if (model.licence?.notice) {
      parts.push(h("span", { class: "notice" }, model.licence.notice));
      parts.push(h("a", { href: model.licence.url, target: "_blank", rel: "noopener" }, model.licence.name));
    }
    const spaced = parts.flatMap((part, at) => (at ? [" ", part] : [part]));
    this.modelNote.replaceChildren(...spaced);
    show(this.modelNote, parts.length > 0);
  }

  // --- what the choices mean -------------------------------------------------------------------------------------

  size(resolution) {
    const [width, height] = this.picker?.photos[0]?.sizes?.[resolution.name] ?? [resolution.width, resolution.height];
    return `${width} × ${height}`;
  }

  /** Ask what the choices cost on this machine, a moment after the last change. */
  estimate() {
    const { values } = this;
    const photo = this.picker?.photos[0];
    const query = new URLSearchParams({ model: values.model, seconds: values.seconds, quality: values.quality, detail: values.detail });
    if (values.upscaler) query.set("upscaler", values.upscaler);
    if (values.steps !== null) query.set("steps", values.steps);
    if (photo) {
      query.set("width", photo.width);
      query.set("height", photo.height);
    }
    const wanted = query.toString();
    if (wanted === this.asked) return this.drawCosts();
    this.asked = wanted;
    clearTimeout(this.asking);
    this.asking = setTimeout(async () => {
      try {
        const costs = await call(`/studio/estimate?${wanted}`);
        if (wanted !== this.asked) return;
        this.costs = costs;
        this.drawCosts();
      } catch {
        this.asked = ""; // without an estimate everything works all the same
      }
    }, 250);
  }

  drawCosts() {
    if (!this.costs) return;
    for (const { costs, item } of this.groups[0].inputs) {
      const found = this.costs[item.value];
      if (!found) continue;
      setText(costs[0], t("form.takes", { time: duration(found.seconds) }));
      setText(costs[1], t("form.memory", { size: memory(found.memory) }));
      costs[1].classList.toggle("warn", !found.fits);
    }
    const cost = this.costs[this.values.resolution];
    if (!cost) return;
    setText(this.costDevice, t(cost.device === "cpu" ? "form.on_cpu" : "form.on_gpu", { total: memory(cost.total) }));
    show(this.costFault, Boolean(cost.fault));
    if (!cost.fault) return;
    const { code, cause, fix } = cost.fault[language];
    setText(this.costWarning, cost.fits ? t("form.shrunk", { size: `${cost.width} × ${cost.height}` }) : t("form.tight"));
    setText(this.costWhy, `${cause} ${fix}. (${code})`);
  }

  qualityLabel(quality) {
    const known = { standard: "quality.standard", smooth: "quality.smooth", sampled: "quality.sampled" }[quality.name];
    return known ? t(known) : quality.label;
  }

  frameRate(quality) {
    const duration = this.options.durations.find((d) => d.seconds === this.values.seconds);
    return t("form.per_second", { n: duration.fps * quality.interpolation });
  }

  frames(duration) {
    const quality = this.options.qualities.find((q) => q.name === this.values.quality);
    return duration.seconds * duration.fps * (quality?.interpolation ?? 1);
  }

  // --- go --------------------------------------------------------------------------------------------------------

  complain(text) {
    setText(this.problem, text);
    show(this.problem, text !== "");
  }

  /** A photo that still travels is waited for; where one of them is refused, its complaint stands instead of a job. */
  async generate() {
    if (this.sending) return;
    this.complain("");
    this.sending = true;
    this.button.setAttribute("aria-busy", "true");
    try {
      if (!(await this.picker.settled())) return;
      if (!this.picker.photos.length) {
        this.picker.focus();
        return;
      }
      const photos = this.picker.photos.map((photo) => photo.id);
      const { jobs } = await call("/studio/jobs", { method: "POST", body: { photos, settings: this.values } });
      this.started(jobs);
    } catch (refusal) {
      this.complain(refusal.message);
    } finally {
      this.sending = false;
      this.button.removeAttribute("aria-busy");
    }
  }
}
