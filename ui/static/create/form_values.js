// @ts-check
// The form's values without its elements: which of them this place can use, and what they come to.

/** @import { Duration, FormValues, ModelOption, Offered, Options, Photo, Quality, Resolution, Sampling } from "../types.d.ts" */

/** @type {FormValues} */
export const EMPTY = {
  resolution: "480p", seconds: 6, quality: "standard", model: "", seed: null,
  motion_bucket_id: null, steps: null, noise_aug_strength: null, fps: null, fit: "crop", detail: true, upscaler: null, mode: "best", prompt: "", negative_prompt: null, loras: [], loop: false, int8: false, shape: "photo", position: null,
};

/** The numbers with a slider: a model has a value of its own for each. @param {Options} options */
export function sliders(options) {
  return options.numbers.filter(({ key }) => key !== "seed" && key !== "position");
}

/** A number by its name: null, or none, is the model's own. @param {FormValues | Sampling} values @param {string} key @returns {number | null} */
export function numberOf(values, key) {
  return /** @type {Record<string, number | null>} */ (/** @type {unknown} */ (values))[key] ?? null;
}

/** What a number is where the user chose none: the steps are the mode's. @param {ModelOption} model @param {string} key @param {string} mode */
export function usual(model, key, mode) {
  return key === "steps" ? (model.modes[mode] ?? null) : numberOf(model.sampling, key);
}

/** Whether a model takes a setting. @param {ModelOption | undefined} model @param {{ key: string, own: boolean }} setting */
export function takes(model, { key, own }) {
  return !own || Boolean(model?.takes.includes(key));
}

/** A text by its name: null is the model's own. @param {FormValues | Sampling} values @param {string} key @returns {string | null} */
export function textOf(values, key) {
  return /** @type {Record<string, string | null>} */ (/** @type {unknown} */ (values))[key] ?? null;
}

/** The word for the motion that is chosen; "" where the number is none of the three, or the model has no words. @param {FormValues} values @param {ModelOption | undefined} model */
export function motionOf(values, model) {
  const number = values.motion_bucket_id ?? model?.sampling.motion_bucket_id;
  return Object.entries(model?.motions ?? {}).find(([, own]) => own === number)?.[0] ?? "";
}

/** What the form keeps for a word: null is the model's own number. @param {string} motion @param {ModelOption} model */
export function motionNumber(motion, model) {
  const number = model.motions[motion];
  return number === model.sampling.motion_bucket_id ? null : number;
}

/** What to send: texts that are kept for another model are not asked of this one. @param {FormValues} values @param {ModelOption | undefined} model @param {Options} options @returns {FormValues} */
export function asked(values, model, options) {
  const without = options.texts.filter((text) => !takes(model, text)).map(({ key }) => [key, textOf(EMPTY, key)]);
  return { ...values, ...Object.fromEntries(without) };
}

/** Frames shown a second: those that a model makes, times how many are shown for each. @param {Duration | undefined} duration @param {Quality | undefined} quality @param {ModelOption} [model] */
export function shownRate(duration, quality, model) {
  const [fps, interpolation] = model?.rates[quality?.name ?? ""] ?? [duration?.fps ?? 0, quality?.interpolation ?? 1];
  return fps * interpolation;
}

/** The one to take where none was chosen: a real one that is here, else any that is here. @param {ModelOption[]} models */
export function bestModel(models) {
  const ready = models.filter((model) => !model.missing);
  return ready.find((model) => !model.demo && !model.trial) ?? ready.find((model) => !model.trial) ?? ready[0];
}

/** The recommended model, where it is to be downloaded. @param {ModelOption[]} models */
export function toGet(models) {
  return models.find((model) => model.recommended && model.missing);
}

/** Whether a model of this name is offered. @param {Options} options @param {string} name */
export function offers(options, name) {
  return options.models.some((model) => model.name === name);
}

/**
 * Remembered settings may name presets that are gone: the first takes their place, the best model that of a model.
 * What the model does not take is not asked of it.
 *
 * @param {FormValues} values
 * @param {Options} options
 * @returns {FormValues}
 */
export function usable(values, options) {
  const name = (/** @type {{ name: string }[]} */ list, /** @type {string} */ wanted) => (list.find((one) => one.name === wanted) ?? list[0]).name;
  const duration = options.durations.find((one) => one.seconds === values.seconds) ?? options.durations[0];
  const model = offers(options, values.model) ? values.model : (bestModel(options.models) ?? options.models[0]).name;
  const chosen = options.models.find((one) => one.name === model);
  const folded = [...options.numbers, ...options.texts.filter((text) => text.folded)];
  const without = folded.filter((setting) => !takes(chosen, setting)).map(({ key }) => [key, null]);
  return {
    ...values,
    ...Object.fromEntries(without),
    resolution: name(options.resolutions, values.resolution),
    shape: shapes(options).includes(values.shape) ? values.shape : "photo",
    seconds: duration.seconds,
    quality: name(options.qualities, values.quality),
    model,
    mode: chosen && !(values.mode in chosen.modes) ? "best" : values.mode,
    loop: values.loop && Boolean(chosen?.takes.includes("loop")),
    int8: values.int8 && Boolean(chosen?.takes.includes("int8")),
    loras: chosen?.takes.includes("loras") && Array.isArray(values.loras) ? values.loras.filter((one) => options.loras.includes(one?.name)) : [],
    upscaler: options.upscalers.some((one) => one.name === values.upscaler && !one.missing) ? values.upscaler : null,
  };
}

/** Whether two lists offer the same things, and lack the same for the same reasons. @param {Offered[]} one @param {Offered[]} other */
export function sameOffer(one, other) {
  const facts = (/** @type {Offered[]} */ list) => JSON.stringify(list.map(({ name, missing }) => [name, missing?.en]));
  return facts(one) === facts(other);
}

/** A real model that is here now and was not before. @param {ModelOption[]} before @param {ModelOption[]} now */
export function arrival(before, now) {
  const known = new Set(before.filter((model) => !model.missing).map((model) => model.name));
  return now.find((model) => !model.missing && !model.demo && !model.trial && !known.has(model.name));
}

/** What was wished for and could not be had, by name. @param {FormValues} wanted @param {FormValues} values */
export function replaced(wanted, values) {
  const keys = /** @type {const} */ (["model", "resolution", "seconds", "quality", "mode", "upscaler", "loras"]);
  return keys.filter((key) => said(wanted, key) && said(wanted, key) !== said(values, key));
}

/** A setting in words; "" for none. @param {FormValues} values @param {"model" | "resolution" | "seconds" | "quality" | "mode" | "upscaler" | "loras"} key */
export function said(values, key) {
  return key === "loras" ? values.loras.map(({ name }) => name).join(", ") : String(values[key] ?? "");
}

/** Settings as versions kept them that knew one LoRA. @param {Partial<FormValues> & { lora?: string | null, lora_strength?: number | null }} kept @returns {Partial<FormValues>} */
export function withListOfLoras({ lora, lora_strength: strength = null, ...rest }) {
  return lora ? { loras: [{ name: lora, strength }], ...rest } : rest;
}

/** How many of the folded settings differ from the model's own; motion by a word is none of them. @param {FormValues} values @param {Options} options */
export function changes(values, options) {
  const model = options.models.find(({ name }) => name === values.model);
  const numbers = sliders(options).filter(({ key }) => key !== "motion_bucket_id" || !motionOf(values, model));
  const given = numbers.filter(({ key }) => numberOf(values, key) !== null).length;
  return given + options.texts.filter(({ key, folded }) => folded && textOf(values, key) !== null).length + (values.detail ? 0 : 1) + (values.upscaler ? 1 : 0) + values.loras.length + (values.loop ? 1 : 0) + (values.int8 ? 1 : 0);
}

/** Frames of a video. @param {Duration} duration @param {Quality | undefined} quality @param {ModelOption} [model] */
export function frameCount(duration, quality, model) {
  return duration.seconds * shownRate(duration, quality, model);
}

/** The shapes that a video can have. @param {Options} options */
export function shapes(options) {
  return ["photo", ...Object.keys(options.resolutions[0]?.shapes ?? {})];
}

/** The video's [width, height] at a resolution, undefined where that is not known. @param {Resolution | undefined} resolution @param {Photo | undefined} photo @param {string} shape */
export function knownSize(resolution, photo, shape) {
  return resolution?.shapes?.[shape] ?? photo?.sizes?.[resolution?.name ?? ""];
}

/** The video's [width, height] at a resolution: where no shape is chosen the photo's decides, if there is one. @param {Resolution} resolution @param {Photo | undefined} photo @param {string} [shape] */
export function clipSize(resolution, photo, shape = "photo") {
  return knownSize(resolution, photo, shape) ?? [resolution.width, resolution.height];
}

/** What to ask for a job's cost with. @param {FormValues} values @param {Photo | undefined} photo @param {boolean} [last] the video ends with a picture of its own */
export function costQuery(values, photo, last = false) {
  return new URLSearchParams({ model: values.model, ...costFacts(values, photo), ...(values.loop && { loop: "true" }), ...(last && { last_photo: "true" }) }).toString();
}

/** What may be too long for an address: a loaded model is loaded again for another prompt, or other LoRAs. @param {FormValues} values @param {ModelOption | undefined} model @param {Options} options */
export function costTexts(values, model, options) {
  const { prompt, negative_prompt, loras } = asked(values, model, options);
  return { prompt, negative_prompt, loras };
}

/** What to ask for the cost of the same video with each model with. @param {FormValues} values @param {Photo | undefined} photo */
export function modelsQuery(values, photo) {
  return new URLSearchParams({ resolution: values.resolution, ...costFacts(values, photo) }).toString();
}

/** @param {FormValues} values @param {Photo | undefined} photo @returns {Record<string, string>} */
function costFacts(values, photo) {
  return {
    seconds: String(values.seconds), quality: values.quality, mode: values.mode, detail: String(values.detail),
    ...(values.upscaler && { upscaler: values.upscaler }),
    ...(values.shape !== "photo" && { shape: values.shape }),
    ...(values.fit !== "crop" && { fit: values.fit }),
    ...(values.int8 && { int8: "true" }),
    ...(values.steps !== null && { steps: String(values.steps) }),
    ...(photo && { width: String(photo.width), height: String(photo.height) }),
  };
}
