// The page's start: language, options, views by address, the header, and the one live stream.

import { focusOn, h, icon, ICONS, recall, remember, setText, show, toast } from "./dom.js";
import { Form } from "./form.js";
import { insistOnLanguage, language, LANGUAGES, number, switchLanguage, t } from "./i18n.js";
import { JobView } from "./job.js";
import { GalleryView } from "./gallery.js";
import { crashWords } from "./mend.js";
import { call, Stream } from "./net.js";
import * as notify from "./notify.js";
import { QueueView } from "./queue.js";
import { SystemView } from "./system.js";

const VIEWS = ["create", "queue", "gallery", "system"];
const FINAL = ["done", "failed", "cancelled"];
const hooks = {
  open: (id, known) => go({ job: id, known }),
  view: (view) => go({ view }),
  use: (settings) => {
    form.use(settings);
    go({});
    reveal("form");
  },
  other: (settings) => {
    hooks.use(settings);
    form.picker.choose();
  },
  /** The models as the server has just told them. */
  models: (models) => form.offer(models) && jobView.welcome.renew(),
  upscalers: (upscalers) => form.offerUpscalers(upscalers),
  changed,
  gone: (sentence) => {
    toast(sentence, "error");
    go({ job: null, view: here().view, replace: true });
  },
};
const views = { queue: new QueueView(hooks), gallery: new GalleryView(hooks), system: new SystemView(hooks) };
let stream;
let jobView;
let form;
let owns = false; // the machine
let machine = null;
let before = "create"; // the view that is left

const $ = (id) => document.getElementById(id);

/** Gradio puts the page's markup in place after this script has been loaded. */
function mounted() {
  return new Promise((resolve) => {
    const look = () => $("toasts") && resolve(watcher.disconnect());
    const watcher = new MutationObserver(look);
    watcher.observe(document.documentElement, { childList: true, subtree: true });
    look();
  });
}

async function start() {
  await mounted();
  await insistOnLanguage(trouble);
  drawTools();
  listen();
  let options;
  try {
    options = await call("/studio/options");
  } catch (refusal) {
    trouble(refusal.message);
    setTimeout(() => location.reload(), 3000);
    return;
  }
  show($("logout"), options.user !== "");
  owns = options.owns_machine;
  form = new Form($("form"), options, started, () => here().view !== "create" && go({}));
  jobView = new JobView($("job"), hooks, options);
  stream = new Stream({
    job: (job) => jobView.update(job),
    log: (events) => jobView.happened(events),
    machine: drawMachine,
    trouble,
    gone: hooks.gone,
  });
  for (const name of VIEWS.slice(1)) views[name].build($(`view-${name}`), options);
  route();
}

// --- addresses: /?job=… and /?view=… -----------------------------------------------------------------------------

function here() {
  const query = new URLSearchParams(location.search);
  const view = query.get("view");
  return { job: query.get("job"), view: VIEWS.includes(view) ? view : "create" };
}

function address(view, job) {
  const query = new URLSearchParams();
  if (view !== "create") query.set("view", view);
  if (job) query.set("job", job);
  return query.size ? `/?${query}` : "/";
}

/** The job stays, whatever view one goes to: title, favicon and the way back know it. known: its state, if at hand. */
function go({ job = here().job, view = "create", known, replace = false }) {
  const left = view !== here().view;
  if (left) window.scrollTo(0, 0);
  const next = address(view, job);
  const stays = next === location.pathname + location.search; // the way back leads elsewhere
  history[replace || stays ? "replaceState" : "pushState"](null, "", next);
  route(known);
  if (left || !document.activeElement.checkVisibility()) focusOn(null);
}

/** On a narrow screen form and job stand one below the other. */
function reveal(id) {
  if (matchMedia("(max-width: 999px)").matches) $(id).scrollIntoView({ behavior: "smooth", block: "start" });
}

function route(known) {
  const { job, view } = here();
  for (const name of VIEWS) show($(`view-${name}`), name === view);
  for (const link of document.querySelectorAll(".views a")) {
    link.href = address(link.dataset.go, job);
    if (link.dataset.go === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  setText($("heading"), t(`view.${view}`));
  for (const name of VIEWS.slice(1)) views[name].shown(name === view);
  $("view-create").toggleAttribute("data-job", Boolean(job)); // on a narrow screen it comes before the form
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
    const { models, upscalers } = await call("/studio/options");
    hooks.models(models);
    hooks.upscalers(upscalers);
  } catch {
    // the banner says that the connection is lost
  }
}

function started(jobs) {
  go({ job: jobs[0].id, known: jobs[0] });
  if (jobs.length > 1) toast(t("form.queued_many", { n: jobs.length }));
  reveal("job");
}

function listen() {
  window.addEventListener("popstate", () => route());
  document.addEventListener("visibilitychange", () => document.hidden || here().view !== "create" || askModels());
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // Gradio's <base> would make another address of it, without the job
    $("main").focus();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-go]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const again = link.dataset.go === here().view;
    go({ view: link.dataset.go, job: link.dataset.job ?? here().job });
    if (again && here().view === "create") reveal("form");
  });
  $("language").addEventListener("click", () => switchLanguage().catch(() => toast(t("net.unreachable"), "error")));
  $("notify").addEventListener("click", async () => {
    await notify.toggle();
    drawTools();
  });
  $("sound").addEventListener("click", () => {
    notify.toggleSound();
    drawTools();
  });
  $("theme").addEventListener("click", () => {
    const order = ["auto", "light", "dark"];
    setTheme(order[(order.indexOf(theme()) + 1) % order.length]);
  });
  document.addEventListener("language", () => {
    drawTools();
    if (machine) drawMachine(machine);
    setText($("heading"), t(`view.${here().view}`));
    title();
  });
}

// --- the header --------------------------------------------------------------------------------------------------

function theme() {
  return document.documentElement.dataset.theme ?? "auto";
}

function setTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  remember("theme", name);
  drawTools();
  toast(t(`theme.${name}`));
}

function drawTools() {
  const names = Object.keys(LANGUAGES);
  const next = names[(names.indexOf(language) + 1) % names.length];
  setText($("language"), next.toUpperCase());
  $("language").title = LANGUAGES[next];
  $("language").setAttribute("aria-label", LANGUAGES[next]);
  $("language").lang = next;
  $("notify").setAttribute("aria-pressed", notify.wanted());
  $("sound").setAttribute("aria-pressed", notify.sounds());
  const labels = { notify: t("notify.switch"), sound: t("notify.sound"), theme: t("theme.switch", { name: t(`theme.${theme()}`) }) };
  for (const [id, label] of Object.entries(labels)) {
    for (const attribute of ["title", "aria-label"]) $(id).setAttribute(attribute, label);
  }
}

function drawMachine(state) {
  machine = state;
  const worker = state.workers.find((one) => one.state === "running") ?? state.workers[0];
  const kind = !worker ? "none" : worker.alive ? worker.state : worker.state === "crashed" ? "crashed" : "none";
  const pill = $("worker");
  pill.dataset.state = kind;
  const words = t(`worker.${kind}`);
  setText(pill.querySelector("span"), worker?.device && worker.alive ? `${words} · ${worker.device}` : words);
  pill.title = state.paused ? t("worker.paused") : pill.textContent;
  const count = state.active.length;
  show($("queue-count"), count > 0);
  setText($("queue-count"), String(count));
  drawCrash(kind === "crashed" ? worker : null);
  drawNotice(state.notice);
  notify.follow(state.active, hooks.open);
  jobView.machine(state);
  for (const name of VIEWS.slice(1)) views[name].machine?.(state);
}

function drawCrash(worker) {
  let box = $("crash");
  if (!worker) {
    box?.remove();
    return;
  }
  const text = worker.cause[language] + worker.last_output + worker.restarts;
  if (box?.dataset.text === text) return;
  const open = box?.querySelector("details").open ?? false;
  box?.remove();
  box = h("div", { id: "crash", class: "banner crash", role: "alert" },
    h("b", {}, t("worker.crash_title")), h("p", {}, crashWords(worker)),
    h("details", { open }, h("summary", {}, t("worker.crash_output")), h("pre", {}, worker.last_output)));
  box.dataset.text = text;
  $("trouble").after(box);
}

/** What the server wants everybody to know, until it is put away: for good by the machine's owner, by others for themselves. */
function drawNotice(said) {
  const box = $("notice");
  show(box, Boolean(said.en) && recall("dismissed", "") !== said.en);
  if (box.dataset.text === said[language]) return; // written once: it is read aloud, and its button may have the focus
  box.dataset.text = said[language];
  const dismiss = async () => {
    try {
      if (owns) await call("/studio/notice", { method: "DELETE" });
      else remember("dismissed", said.en);
      show(box, false);
    } catch (refusal) {
      toast(refusal.message, "error");
    }
  };
  box.replaceChildren(h("span", {}, said[language]), h("button", { type: "button", class: "plain small icon", title: t("notice.dismiss"), "aria-label": t("notice.dismiss"), onclick: dismiss }, icon(ICONS.close)));
}

function trouble(sentence) {
  setText($("trouble"), sentence ?? "");
  show($("trouble"), Boolean(sentence));
}

/** Every new state of the shown job. Its end is also said aloud, for who does not see the bar. */
function changed(job, before) {
  title(job);
  if (!before || FINAL.includes(before.status) || !FINAL.includes(job.status)) return;
  setText($("said"), `${job.name}: ${t(`status.${job.status}`)}`);
}

/** The tab's title tells how far the job is. */
function title(job = jobView?.job) {
  const parts = ["fanslymotion"];
  if (job && here().job === job.id) {
    parts.unshift(job.name);
    if (job.status === "running") parts.unshift(`${number(100 * job.fraction)} %`);
    else parts.unshift(t(`status.${job.status}`));
  }
  document.title = parts.join(" · ");
  favicon(job && here().job === job.id ? job : null);
}

/** A ring that closes while the job runs, then a dot in the colour of its end. */
function favicon(job) {
  const share = job?.status === "running" ? Math.round(20 * job.fraction) / 20 : -1;
  const state = job && job.status !== "queued" ? `${job.status} ${share}` : "";
  const link = document.querySelector("link[rel~=icon]");
  if (!link || link.dataset.state === state) return;
  link.dataset.state = state;
  link.href = state ? ring(job.status, share) : "/studio/static/icon.svg";
}

function ring(status, share) {
  const canvas = h("canvas", { width: 32, height: 32 });
  const pen = canvas.getContext("2d");
  const colour = { done: "#1a7f4b", failed: "#b3261e", cancelled: "#8b857a" }[status] ?? "#c2410c";
  pen.lineWidth = 7;
  pen.strokeStyle = "#8b857a80";
  pen.beginPath();
  pen.arc(16, 16, 12, 0, 2 * Math.PI);
  pen.stroke();
  pen.strokeStyle = pen.fillStyle = colour;
  pen.beginPath();
  if (share >= 0) {
    pen.arc(16, 16, 12, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * share);
    pen.stroke();
  } else {
    pen.arc(16, 16, 15.5, 0, 2 * Math.PI);
    pen.fill();
  }
  return canvas.toDataURL();
}

start();
