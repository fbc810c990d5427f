// @ts-check
// What a video would take with each model on this machine, also with those that are not downloaded: asked once a minute.

import { call } from "./net.js";

/** @import { ModelCost, Options } from "../types.d.ts" */

const KEPT_MS = 60_000;
/** @type {Map<string, { at: number, costs: Promise<Record<string, ModelCost | null> | null> }>} */
const known = new Map();

/** @param {string} query of one video @returns {Promise<Record<string, ModelCost | null> | null>} by model; null: the program does not answer, or knows no such video */
export async function askModelCosts(query) {
  let asked = known.get(query);
  if (!asked || performance.now() - asked.at > KEPT_MS) {
    asked = { at: performance.now(), costs: call(`studio/estimate/models?${query}`).catch(() => null) };
    known.set(query, asked);
  }
  const costs = await asked.costs;
  if (!costs) known.delete(query);
  return costs;
}

/**
 * @param {{ name: string }} model
 * @param {{ seconds: number, quality: string, resolution: string }} video
 * @returns {Promise<ModelCost | null>} null: it cannot be told
 */
export async function costOf(model, { seconds, quality, resolution }) {
  const query = new URLSearchParams({ resolution, seconds: String(seconds), quality }).toString();
  const costs = await askModelCosts(query);
  if (costs && !(model.name in costs)) known.delete(query); // it has come since
  return costs?.[model.name] ?? null;
}

/** A first video: the first of each choice. @param {Options} options */
export function firstVideo(options) {
  return { seconds: options.durations[0].seconds, quality: options.qualities[0].name, resolution: options.resolutions[0].name };
}
