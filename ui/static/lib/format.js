// @ts-check
// Numbers, times and sizes as people say them, in the language that is shown.

import { language, t } from "./catalogue.js";

/** @param {number} value @param {number} [digits] behind the point */
export function number(value, digits = 0) {
  return value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** Seconds as people say them: "40 s", "3 min 20 s", "1 h 5 min". @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 100) return t("time.s", { s: whole });
  if (whole < 600) return t("time.ms", { m: Math.floor(whole / 60), s: whole % 60 });
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return t("time.m", { m: minutes });
  return t("time.hm", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

/** Of files and downloads: 1 GB is 10⁹ bytes, as the hub says it. Never more than three digits before the unit. @param {number} value @param {number} [thousand] */
export function bytes(value, thousand = 1000) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (Math.round(value) >= 1000 && at < units.length - 1) {
    value /= thousand;
    at += 1;
  }
  return `${number(value, at > 1 && value < 99.95 ? 1 : 0)} ${t(`unit.${units[at]}`)}`;
}

/** Of memory: 1 GB is 2³⁰ bytes, so that a card of 12 GB has 12. @param {number} value */
export function memory(value) {
  return bytes(value, 1024);
}

/** The time of day. @param {number} unix seconds */
export function clock(unix) {
  return new Date(unix * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** Date and time. @param {number} unix seconds */
export function when(unix) {
  return new Date(unix * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
}
