// @ts-check
// What a plain video would take with a model on this machine, also with one that is not downloaded: asked once a minute.

import { call } from "./net.js";

/** @import { Cost, Options } from "../types.d.ts" */

const KEPT_MS = 60_000;
/** @type {Map<string, { at: number, costs: Promise<Record<string, Cost> | null> }>} */
const known = new Map();

/**
 * @param {{ name: string }} model
 * @param {{ seconds: number, quality: string, resolution: string }} video
 * @returns {Promise<Cost | null>} null: the program does not answer, or knows no such video
 */
export async function costOf(model, { seconds, quality, resolution }) {
  const query = new URLSearchParams({ model: model.name, seconds: String(seconds), quality }).toString();
  let asked = known.get(query);
  if (!asked || performance.now() - asked.at > KEPT_MS) {
    asked = { at: performance.now(), costs: call(`studio/estimate?${query}`).catch(() => null) };
    known.set(query, asked);
  }
  const costs = await asked.costs;
  if (!costs) known.delete(query);
  return costs?.[resolution] ?? null;
}

/** The first video that somebody makes: the first of each choice. @param {Options} options */
export function firstVideo(options) {
  return { seconds: options.durations[0].seconds, quality: options.qualities[0].name, resolution: options.resolutions[0].name };
}
