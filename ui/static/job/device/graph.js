// @ts-check
// The arithmetic of a graph of samples: where its lines run, and which stretch of it belongs to which stage.

/** @import { Sample } from "../../types.d.ts" */

const SHORTEST_SECONDS = 10; // fewer samples than that fill only a part of the width

/**
 * How times become places on a graph `width` wide: the first sample's is 0, the last one's the width.
 *
 * @param {Sample[]} samples at least one, oldest first
 * @param {number} width
 * @returns {(sample: Sample) => number}
 */
export function scale(samples, width) {
  const begin = samples[0].time;
  const span = Math.max(SHORTEST_SECONDS, samples[samples.length - 1].time - begin);
  return (sample) => (width * (sample.time - begin)) / span;
}

/**
 * A line as an SVG path; 0 is at the bottom.
 *
 * @param {Sample[]} samples
 * @param {(sample: Sample) => number} x
 * @param {(sample: Sample) => number} value 0..1
 * @param {number} height
 */
export function line(samples, x, value, height) {
  return samples.map((one, i) => `${i ? "L" : "M"}${x(one).toFixed(1)} ${(height * (1 - value(one))).toFixed(1)}`).join("");
}

/** The share of the device that is busy, 0 where that is not known. @param {Sample} sample */
export function loadOf({ load }) {
  return (load ?? 0) / 100;
}

/** The share of the memory that is taken, 0 where that is not known. @param {Sample} sample */
export function memoryOf({ used, total }) {
  return total ? used / total : 0;
}

/**
 * The stretches of one stage each. Each ends where the next begins.
 *
 * @param {Sample[]} samples
 */
export function stretches(samples) {
  /** @type {{ stage: string, begin: Sample, end: Sample }[]} */
  const found = [];
  for (const one of samples) {
    const before = found[found.length - 1];
    if (before) before.end = one;
    if (before?.stage !== one.stage) found.push({ stage: one.stage, begin: one, end: one });
  }
  return found;
}
