// @ts-check
// The page's start: language, options, views by address, and the one live stream.

import { Compare } from "./compare/compare.js";
import { Form } from "./create/form.js";
import { GalleryView } from "./gallery/gallery.js";
import { JobView } from "./job/job.js";
import { ended } from "./job/job_words.js";
import { t } from "./lib/catalogue.js";
import { byId, focusOn, reveal, setText, show, toast } from "./lib/dom.js";
import { insistOnLanguage } from "./lib/i18n.js";
import { call } from "./lib/net.js";
import { addressOf, folderOf, isKnownPath, knownView, readAddress, readPair, VIEWS } from "./page/address.js";
import { drawCrash, drawNotice, trouble } from "./page/banners.js";
import { startGradio } from "./page/gradio.js";
import { drawPill, drawTools, drawViews, listenToTools, shownWorker, workerKind } from "./page/header.js";
import { onKey } from "./page/keys.js";
import * as notify from "./page/notify.js";
import { Stream } from "./page/stream.js";
import { drawTab } from "./page/tab.js";
import { QueueView } from "./queue/queue.js";
import { SystemView } from "./system/system.js";

/** @import { View } from "./page/address.js" */
/** @import { Hooks, Job, Machine, Options } from "./types.d.ts" */

/** @type {Hooks} */
const hooks = {
  open: (id, known, replace) => go({ job: id, known, replace }),
  view: (view, replace) => go({ view: knownView(view), replace }),
  use: (settings) => {
    form.use(settings);
    go({});
    reveal("form");
  },
  compare: (pair, replace = false) => go({ view: "gallery", pair, replace }),
  remove: (job) => {
    go({ view: "gallery", job: null });
    views.gallery.removeOne(job);
  },
  redo: (job) => {
    hooks.use({ ...job.settings, seed: null });
    form.takePhotosOf(job);
  },
  other: (job) => {
    hooks.use(job.settings);
    form.last.takeOf(job);
    form.picker.choose();
  },
  seed: (seed) => form.useSeed(seed),
  models: (models) => form.offer(models) && jobView.welcome.renew(),
  upscalers: (upscalers) => form.offerUpscalers(upscalers),
  resume,
  changed,
  gone: (sentence) => {
    toast(sentence, "error");
    go({ job: null, view: here().view, replace: true });
  },
};
/** @type {{ queue: QueueView, gallery: GalleryView, system: SystemView }} */
let views;
/** @type {Compare} */
let compare;
/** @type {Stream} */
let stream;
/** @type {JobView} */
let jobView;
/** @type {Form} */
let form;
let owns = false; // the machine
let lost = false; // the program does not answer
/** @type {Machine | null} */
let machine = null;
/** @type {View} */
let before = "create"; // the view that is left

async function start() {
  const asked = call("studio/options"); // at the same time as the words
  asked.catch(() => {}); // is said below
  await insistOnLanguage(trouble);
  drawTools();
  listen();
  /** @type {Options} */
  let options;
  try {
    options = await asked;
  } catch (refusal) {
    trouble(refusal.message);
    setTimeout(() => location.reload(), 3000);
    return;
  }
  if (!isKnownPath(location.pathname, options.root_path)) return trouble(t("page.root_path", { path: folderOf(location.pathname).slice(0, -1) }));
  show(byId("logout"), options.user !== "");
  owns = options.owns_machine;
  form = new Form(byId("form"), options, started, () => here().view !== "create" && go({}));
  jobView = new JobView(byId("job"), hooks, options);
  stream = new Stream({
    job: (job) => jobView.update(job),
    log: (events) => jobView.happened(events),
    machine: drawMachine,
    trouble,
    reached,
    gone: hooks.gone,
  });
  views = {
    queue: new QueueView(byId("view-queue"), options, hooks),
    gallery: new GalleryView(byId("view-gallery"), options, hooks),
    system: new SystemView(byId("view-system"), options, hooks),
  };
  compare = new Compare(byId("view-gallery"), options, hooks);
  route();
  startGradio();
}

// --- addresses ---------------------------------------------------------------------------------------------------

const here = () => readAddress(location.search);

/**
 * The job stays, whatever view one goes to: title, favicon and the way back know it. known: its state, if at hand.
 *
 * @param {{ job?: string | null, view?: View, known?: Job, replace?: boolean, pair?: [string, string] | null }} where pair: two that are compared
 */
function go({ job = here().job, view = "create", known, replace = false, pair = null }) {
  const left = view !== here().view;
  const next = addressOf(view, job, pair);
  const stays = new URL(next, location.href).search === location.search; // the way back leads elsewhere
  history[replace || stays ? "replaceState" : "pushState"](null, "", next);
  if (left) window.scrollTo(0, 0); // only now: the browser keeps the place with the address that is left
  route(known);
  if (left || !document.activeElement?.checkVisibility()) focusOn(null);
}

/** @param {Job} [known] the state of the job that the address names */
function route(known) {
  if (!views) return; // a link was followed while the page starts, which goes to the new address by itself
  const { job, view } = here();
  for (const name of VIEWS) show(byId(`view-${name}`), name === view);
  drawViews(view, job);
  setText(byId("heading"), t(`view.${view}`));
  views.queue.shown(view === "queue");
  const pair = view === "gallery" ? readPair(location.search) : null;
  show(views.gallery.element, !pair);
  views.gallery.shown(view === "gallery" && !pair);
  compare.turn(pair);
  views.system.shown(view === "system");
  byId("view-create").toggleAttribute("data-job", Boolean(job)); // on a narrow screen it comes before the form
  jobView.turn(job, known);
  if (view === "create" && before !== view) askModels();
  before = view;
  if (view === "create" && !job) jobView.welcome.look();
  stream.follow(job);
  title();
}

/** A model may have come or gone while one looked elsewhere. */
async function askModels() {
  try {
    /** @type {Options} */
    const { models, upscalers } = await call("studio/options");
    hooks.models(models);
    hooks.upscalers(upscalers);
  } catch {
    // the banner says that the connection is lost
  }
}

/** @param {Job[]} jobs those that were queued, at least one */
function started(jobs) {
  const stays = here().view !== "create"; // one has gone elsewhere while the photos were sent
  if (stays || jobs.length > 1) toast(t("form.queued_many", { n: jobs.length }));
  if (stays) return;
  go({ job: jobs[0].id, known: jobs[0] });
  reveal("job");
}

function listen() {
  window.addEventListener("popstate", () => route());
  document.addEventListener("keydown", (event) => views && onKey(event, { view: here().view, pair: readPair(location.search), compare, gallery: views.gallery, queue: views.queue, job: jobView, hooks }));
  document.addEventListener("visibilitychange", () => document.hidden || here().view !== "create" || askModels());
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    event.preventDefault(); // Gradio's <base> would make another address of it, without the job
    byId("main").focus();
  });
  document.addEventListener("click", followLink);
  listenToTools(resume);
  document.addEventListener("language", () => {
    drawTools();
    if (machine) drawMachine(machine);
    setText(byId("heading"), t(`view.${here().view}`));
    title();
  });
}

/** Links to views are followed without loading the page anew. @param {MouseEvent} event */
function followLink(event) {
  const link = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-go]"));
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  const again = link.dataset.go === here().view;
  if (link.dataset.model) views?.system.point(link.dataset.model);
  go({ view: knownView(link.dataset.go), job: link.dataset.job ?? here().job });
  if (again && here().view === "create") reveal("form");
}

// --- news --------------------------------------------------------------------------------------------------------

/** @param {Machine} state the newest */
function drawMachine(state) {
  machine = state;
  const worker = shownWorker(state.workers);
  drawPill(state, owns, lost);
  drawCrash(worker && workerKind(worker) === "crashed" ? worker : null);
  drawNotice(state.notice, owns);
  notify.follow(state.active, hooks.open);
  title();
  for (const view of [form, jobView, views.queue, views.gallery]) view.machine(state);
}

/** Whether the program answers: what is shown of jobs and workers is old where it does not. @param {boolean} yes */
function reached(yes) {
  if (yes !== lost) return;
  lost = !yes;
  if (machine) drawPill(machine, owns, lost);
  jobView.reached(yes);
  views.queue.reached(yes);
}

async function resume() {
  try {
    await call("studio/queue/resume", { method: "POST" });
  } catch (refusal) {
    toast(refusal.message, "error");
  }
}

/** Every new state of the shown job. Its end is also said aloud, for who does not see the bar. @param {Job} job @param {Job | null} last its state before */
function changed(job, last) {
  title(job);
  if (!ended(job)) setText(byId("said"), ""); // the same words about the next job are news again
  if (!last || ended(last) || !ended(job)) return;
  setText(byId("said"), `${job.name}: ${t(`status.${job.status}`)}`);
}

/** The tab tells about the job that the address names. */
function title(job = jobView?.job) {
  drawTab(job && here().job === job.id ? job : null, machine?.paused ?? false, here().view);
}

start();
