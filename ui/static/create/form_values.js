// @ts-check
// The form's values without its elements: which of them this place can use, and what they come to.

/** @import { Duration, FormValues, ModelOption, Offered, Options, Photo, Quality, Resolution } from "../types.d.ts" */

/** @type {FormValues} */
export const EMPTY = {
  resolution: "480p", seconds: 6, quality: "standard", model: "", seed: null,
  motion_bucket_id: null, steps: null, noise_aug_strength: null, fps: null, fit: "crop", detail: true, upscaler: null,
};

/** @typedef {"motion_bucket_id" | "steps" | "noise_aug_strength" | "fps"} SliderKey */

/** @type {{ key: SliderKey, min: number, max: number, step: number }[]} */
export const SLIDERS = [
  { key: "motion_bucket_id", min: 1, max: 255, step: 1 },
  { key: "steps", min: 1, max: 100, step: 1 },
  { key: "noise_aug_strength", min: 0, max: 1, step: 0.01 },
  { key: "fps", min: 5, max: 30, step: 1 },
];

/** The one to take where none was chosen: a real one that is here, else any that is here. @param {ModelOption[]} models */
export function bestModel(models) {
  const ready = models.filter((model) => !model.missing);
  return ready.find((model) => !model.demo) ?? ready[0];
}

/** Whether a model of this name is offered. @param {Options} options @param {string} name */
export function offers(options, name) {
  return options.models.some((model) => model.name === name);
}

/**
 * Remembered settings may name presets that are gone: the first takes their place, the best model that of a model.
 *
 * @param {FormValues} values
 * @param {Options} options
 * @returns {FormValues}
 */
export function usable(values, options) {
  const name = (/** @type {{ name: string }[]} */ list, /** @type {string} */ wanted) => (list.find((one) => one.name === wanted) ?? list[0]).name;
  const duration = options.durations.find((one) => one.seconds === values.seconds) ?? options.durations[0];
  return {
    ...values,
    resolution: name(options.resolutions, values.resolution),
    seconds: duration.seconds,
    quality: name(options.qualities, values.quality),
    model: offers(options, values.model) ? values.model : (bestModel(options.models) ?? options.models[0]).name,
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
  return now.find((model) => !model.missing && !model.demo && !known.has(model.name));
}

/** What was wished for and could not be had, by name. @param {FormValues} wanted @param {FormValues} values */
export function replaced(wanted, values) {
  const keys = /** @type {const} */ (["model", "resolution", "seconds", "quality", "upscaler"]);
  return keys.filter((key) => wanted[key] && wanted[key] !== values[key]);
}

/** How many of the folded settings differ from the model's own. @param {FormValues} values */
export function changes(values) {
  return SLIDERS.filter(({ key }) => values[key] !== null).length + (values.detail ? 0 : 1) + (values.upscaler ? 1 : 0);
}

/** Frames of a video. @param {Duration} duration @param {Quality | undefined} quality */
export function frameCount(duration, quality) {
  return duration.seconds * duration.fps * (quality?.interpolation ?? 1);
}

/** The video's [width, height] at a resolution: the photo's shape decides, where there is one. @param {Resolution} resolution @param {Photo | undefined} photo */
export function clipSize(resolution, photo) {
  return photo?.sizes?.[resolution.name] ?? [resolution.width, resolution.height];
}

/** What to ask for a job's cost with. @param {FormValues} values @param {Photo | undefined} photo */
export function costQuery(values, photo) {
  const query = new URLSearchParams({ model: values.model, seconds: String(values.seconds), quality: values.quality, detail: String(values.detail) });
  if (values.upscaler) query.set("upscaler", values.upscaler);
  if (values.steps !== null) query.set("steps", String(values.steps));
  if (photo) {
    query.set("width", String(photo.width));
    query.set("height", String(photo.height));
  }
  return query.toString();
}
