// @ts-check
// Frames and seconds of a video, and which part of it is kept.

/** @import { Clip } from "../types.d.ts" */

/** The frame that is shown at a time. @param {number} seconds @param {Clip} clip */
export function frameAt(seconds, { frames, fps }) {
  return Math.min(frames - 1, Math.max(0, Math.floor(seconds * fps + 0.01))); // a player's times are rounded
}

/** The middle of a frame's time, at which a player certainly shows it. @param {number} frame @param {{ fps: number }} clip */
export function timeOf(frame, { fps }) {
  return (frame + 0.5) / fps;
}

/**
 * The part that is kept after one of its ends was moved: at least one frame, and the other end stays.
 *
 * @param {{ start: number, end: number }} part end: the frame after the last one
 * @param {"start" | "end"} moved
 * @param {number} to
 * @param {number} frames of the video
 */
export function cut({ start, end }, moved, to, frames) {
  if (moved === "start") return { start: Math.min(Math.max(0, to), end - 1), end };
  return { start, end: Math.max(Math.min(frames, to), start + 1) };
}

/**
 * What is to be asked of the server.
 *
 * @param {string} format
 * @param {{ start: number, end: number }} part
 * @param {boolean} pingPong
 * @param {number} frame that the player shows
 */
export function exportOf(format, part, pingPong, frame) {
  return isStill(format) ? { format, frame } : { format, ...part, ping_pong: pingPong };
}

/** @param {string} format */
export function isStill(format) {
  return format === "png" || format === "jpg";
}
