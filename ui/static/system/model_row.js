// @ts-check
// One model in the System view: what it is, how far its download or check is, and what can be done with it.

import { language, t } from "../lib/catalogue.js";
import { h, icon, ICONS, once } from "../lib/dom.js";
import { bytes, duration } from "../lib/format.js";
import { abilities, tags } from "../lib/model_words.js";

/** @import { AnyModel, Download, ModelCheck, ModelCost } from "../types.d.ts" */

/** @typedef {"download" | "stop" | "remove" | "check" | "forget"} Act */

/** Whether its download is under way. @param {AnyModel} model */
export function downloading({ download }) {
  return download !== null && ["starting", "running"].includes(download.status);
}

/** What the machine's owner can do with it now. @param {AnyModel} model @returns {Act[]} */
export function actsOf(model) {
  if (model.source === "folder") return ["forget"];
  if (model.source !== "hub") return [];
  if (downloading(model) || model.check?.status === "running") return ["stop"];
  if (model.state !== "ready" || model.check?.damaged.length) return ["download"];
  return ["check", "remove"];
}

/** How far a download is, how fast, and how long it will take. @param {Download} download */
export function speedWords(download) {
  const parts = [`${bytes(download.done)} / ${bytes(download.total)}`];
  if (download.speed) parts.push(t("system.speed", { speed: bytes(download.speed) }));
  if (download.seconds_left !== null) parts.push(t("now.left", { time: duration(download.seconds_left) }));
  return download.message[language] || parts.join(" · ");
}

const PATHS = { download: ICONS.download, stop: ICONS.close, remove: ICONS.trash, check: ICONS.check, forget: ICONS.close };

/**
 * @typedef {object} About
 * @property {{ seconds: number, resolution: string }} video the one that `cost` is of
 * @property {ModelCost | null} [cost]
 *
 * @param {AnyModel} model
 * @param {boolean} owns whether the machine is one's own
 * @param {About} about
 * @param {(act: Act) => unknown} change
 */
export function modelRow(model, owns, { video, cost }, change) {
  const { download } = model;
  const own = "frames" in model ? model : null; // not so an upscaler
  const drawn = own ? [`${own.width} × ${own.height}`, t("form.frames", { n: own.frames })] : [];
  const facts = [...drawn, model.bytes || model.download_gb ? bytes(model.bytes || model.download_gb * 1e9) : ""];
  const named = [h("b", {}, model.label), own && h("span", { class: "tags" }, tags(own))];
  const words = h("div", { class: "row-words" }, named, h("span", { class: "facts" }, facts.filter(Boolean).join(" · ")));
  words.append(h("span", { class: "quiet" }, own?.random ? t("model.random") : model.summary[language]));
  if (own && abilities(own)) words.append(h("span", { class: "facts" }, abilities(own)));
  if (cost) {
    const time = { seconds: video.seconds, size: video.resolution, time: duration(cost.seconds) };
    words.append(h("span", { class: "time" }, t("system.time", time)));
  }
  if (own?.recommended) words.append(h("span", { class: "here" }, own.recommended[language]));
  if (download && downloading(model)) {
    words.append(bar(download), h("span", { class: "facts" }, speedWords(download)));
  } else if (download?.status === "failed") {
    words.append(...broken(download));
  } else if (download?.status === "interrupted") {
    words.append(h("span", { class: "why" }, t("system.interrupted")));
  }
  if (model.check) words.append(...checked(model.check));
  const button = (/** @type {Act} */ act) => h("button", { type: "button", class: "action", data: { act }, onclick: once(() => change(act)) }, icon(PATHS[act]), h("span", {}, t(`system.${act}`)));
  const acts = h("div", { class: "row-acts" }, owns ? actsOf(model).map(button) : []);
  if (model.state === "ready") acts.prepend(h("span", { class: "here" }, t(model.source === "hub" ? "system.here" : "system.ready")));
  return [words, acts];
}

/** @param {{ done: number, total: number }} part */
function bar({ done, total }) {
  const fill = h("i");
  fill.style.transform = `scaleX(${total ? done / total : 0})`;
  return h("div", { class: "bar" }, fill);
}

/** What the check of a model's files says: how far it is, or what it has found. @param {ModelCheck} check */
function checked({ status, done, total, damaged, error }) {
  if (status === "running") {
    return [bar({ done, total }), h("span", { class: "facts" }, `${t("system.checking")} ${bytes(done)} / ${bytes(total)}`)];
  }
  if (status === "failed") return [h("span", { class: "why" }, error[language])];
  if (status !== "done") return [];
  return [damaged.length ? h("span", { class: "why" }, t("system.damaged", { files: damaged.join(", ") })) : h("span", { class: "here" }, t("system.whole"))];
}

/** A download that failed: what happened, why, what to do. @param {Download} download */
function broken({ fault, error, page }) {
  const link = page ? h("a", { href: page, target: "_blank", rel: "noopener" }, page) : "";
  if (!fault) return [h("span", { class: "why" }, error[language]), link];
  const { code, title, cause, fix } = fault[language];
  return [h("span", { class: "why" }, h("b", {}, title), " ", cause), h("span", {}, h("b", {}, t("check.fix")), " ", fix), link, h("span", { class: "facts" }, code)];
}
