// @ts-check
// The header: the switches of language, notifications, sound and colours, and the pill that tells the worker's state.

import { language, nextLanguage, t } from "../lib/catalogue.js";
import { byId, find, setText, show, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { switchLanguage } from "../lib/i18n.js";
import { remember } from "../lib/storage.js";
import { addressOf, knownView } from "./address.js";
import * as notify from "./notify.js";

/** @import { View } from "./address.js" */
/** @import { Machine, Worker } from "../types.d.ts" */

const THEMES = ["auto", "light", "dark"];

/** The links to the views keep the job, and the current one is marked. @param {View} current @param {string | null} job */
export function drawViews(current, job) {
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll(".views a"))) {
    link.href = addressOf(knownView(link.dataset.go), job);
    if (link.dataset.go === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** @param {() => unknown} resume lets the queue go on */
export function listenToTools(resume) {
  byId("resume").addEventListener("click", resume);
  byId("language").addEventListener("click", () => switchLanguage().catch(() => toast(t("net.unreachable"), "error")));
  byId("notify").addEventListener("click", async () => {
    await notify.toggle();
    drawTools();
  });
  byId("sound").addEventListener("click", () => {
    notify.toggleSound();
    drawTools();
  });
  byId("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]));
}

function theme() {
  return document.documentElement.dataset.theme ?? "auto";
}

/** @param {string} name one of THEMES */
function setTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  remember("theme", name);
  drawTools();
  toast(t(`theme.${name}`));
}

export function drawTools() {
  const next = nextLanguage();
  const languages = byId("language");
  setText(languages, next.toUpperCase());
  for (const attribute of ["title", "aria-label"]) languages.setAttribute(attribute, t("page.language"));
  byId("notify").setAttribute("aria-pressed", String(notify.wanted()));
  byId("sound").setAttribute("aria-pressed", String(notify.sounds()));
  const labels = { notify: t("notify.switch"), sound: t("notify.sound"), theme: t("theme.switch", { name: t(`theme.${theme()}`) }) };
  for (const [id, label] of Object.entries(labels)) {
    for (const attribute of ["title", "aria-label"]) byId(id).setAttribute(attribute, label);
  }
}

/** The one that stands for all: it runs a job, or is the first. @param {Worker[]} workers */
export function shownWorker(workers) {
  return workers.find((one) => one.state === "running") ?? workers.at(0);
}

/** Its state as the page shows it; of those that are not alive only a crash is. @param {Worker | undefined} worker */
export function workerKind(worker) {
  if (worker?.alive || worker?.state === "crashed") return worker.state;
  return "none";
}

/** One worker by its state and device; of several how many of them are in the shown one's state. @param {Worker[]} workers */
export function workersWords(workers) {
  const worker = shownWorker(workers);
  const kind = workerKind(worker);
  const words = t(`worker.${kind}`);
  if (workers.length < 2) return worker?.device && worker.alive ? `${words} · ${worker.device[language]}` : words;
  const n = workers.filter((one) => workerKind(one) === kind).length;
  return `${words} · ${t("worker.several", { n, total: workers.length })}`;
}

/**
 * What the pill says, and in which state: nothing is known of workers while the program does not answer; a paused
 * queue is told first, where the end of the words is cut off last.
 *
 * @param {Pick<Machine, "workers" | "paused">} machine
 * @param {boolean} lost the program does not answer
 */
export function pillWords({ workers, paused }, lost) {
  const state = workerKind(shownWorker(workers));
  if (lost) return { state: "lost", words: t("worker.lost") };
  if (!paused) return { state, words: workersWords(workers) };
  if (state === "idle") return { state: "paused", words: t("worker.paused") };
  return { state, words: `${t("worker.paused")} · ${workersWords(workers)}` };
}

/** @param {Machine} machine @param {boolean} owns whether the machine is one's own to pause @param {boolean} lost the program does not answer */
export function drawPill(machine, owns, lost) {
  const { workers, active, unlisted, paused } = machine;
  const pill = byId("worker");
  const { state, words } = pillWords(machine, lost);
  pill.dataset.state = state;
  setText(find(pill, "span"), words);
  const each = workers.map((one) => workersWords([one])).join("\n");
  pill.title = lost ? t("net.lost") : paused ? t("worker.paused_title") : each || words;
  show(byId("resume"), paused && owns && !lost);
  setText(byId("resume"), t("queue.resume"));
  show(byId("queue-count"), active.length > 0);
  setText(byId("queue-count"), number(active.length + unlisted));
}
