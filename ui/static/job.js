// One job, live: stages, one bar for the whole, preview or video, log. Everything shown comes from the store.

import { calm, h, icon, ICONS, once, setText, show, toast } from "./dom.js";
import { duration, has, language, number, t, when } from "./i18n.js";
import { Gauge } from "./gauge.js";
import { Log } from "./log.js";
import { mends, retry } from "./mend.js";
import { call } from "./net.js";
import { Welcome } from "./welcome.js";

const STAGES = ["queued", "loading", "conditioning", "sampling", "decoding", "saving"];
const FINAL = ["done", "failed", "cancelled"];

export class JobView {
  /** hooks: changed(job, its state before), gone(sentence), use(settings), and those of mend.js */
  constructor(root, hooks, options) {
    this.root = root;
    this.welcome = new Welcome(options);
    this.options = options;
    this.hooks = hooks;
    this.paused = false;
    this.job = null;
    this.build();
    document.addEventListener("language", () => this.relabel());
  }

  build() {
    this.empty = this.welcome.element;
    this.photo = h("img", { class: "photo", alt: "" });
    this.preview = h("img", { class: "preview", alt: "", hidden: true });
    this.video = h("video", { controls: true, loop: true, playsInline: true, muted: true, preload: "auto", hidden: true });
    this.video.addEventListener("error", () => this.unplayable());
    this.unplayed = h("p", { class: "unplayable", role: "alert", data: { said: "unplayable" }, hidden: true });
    this.badge = h("span", { class: "badge", hidden: true });
    this.frame = h("div", { class: "frame" }, this.photo, this.preview, this.video, this.badge);
    this.name = h("h2");
    this.facts = h("p", { class: "facts" });
    this.actions = h("div", { class: "actions" });
    this.stages = h("ol", { class: "stages" }, STAGES.map((stage) => h("li", { data: { stage } })));
    this.fill = h("i");
    this.bar = h("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
    this.now = h("span", { class: "now" });
    this.left = h("span", { class: "left" });
    this.problem = h("div", { class: "failure", role: "alert", hidden: true });
    this.warnings = h("ul", { class: "warnings", hidden: true });
    this.licence = h("p", { class: "licence", hidden: true });
    this.log = new Log();
    this.gauge = new Gauge();
    this.full = h("div", { class: "live", hidden: true },
      h("div", { class: "stage-box" }, this.frame),
      h("div", { class: "head" }, h("div", { class: "what" }, this.name, this.facts), this.actions),
      h("div", { class: "progress" }, this.stages, this.bar, h("div", { class: "line-now" }, this.now, this.left), this.gauge.element),
      this.unplayed, this.problem, this.warnings, this.licence, this.log.element);
    this.buttons = {
      cancel: this.button("cancel", ICONS.close, () => this.cancel()),
      download: h("a", { class: "action strong", data: { action: "download" } }, icon(ICONS.download), h("span")),
      again: this.button("again", ICONS.again, once(() => retry(this.job, this.hooks))),
      use: this.button("use", ICONS.sliders, () => this.hooks.use(this.job.settings)),
    };
    this.actions.append(...Object.values(this.buttons));
    this.root.append(this.empty, this.full);
  }

  button(action, path, act) {
    return h("button", { type: "button", class: "action", data: { action }, onclick: act }, icon(path), h("span"));
  }

  relabel() {
    this.welcome.label();
    this.log.label();
    this.gauge.label();
    if (this.job) this.draw(this.job);
  }

  /** Turn to another job (null: none). Its state comes with the stream where it is not known; the place is kept. */
  turn(id, known) {
    if (this.id === id) return;
    this.id = id;
    this.job = null;
    this.log.clear(id);
    this.gauge.clear();
    for (const image of [this.photo, this.preview]) image.removeAttribute("src");
    delete this.preview.dataset.wanted; // what still loads belongs to the other job
    this.clearVideo();
    show(this.preview, false);
    show(this.problem, false);
    this.root.style.minHeight = id && this.root.offsetHeight ? `${this.root.offsetHeight}px` : "";
    delete this.root.dataset.status;
    show(this.empty, !id);
    show(this.full, false);
    if (known) this.update(known);
  }

  machine({ paused }) {
    if (paused === this.paused) return;
    this.paused = paused;
    if (this.job) this.drawProgress(this.job);
  }

  /** Log lines, samples of the graphics card, faults: whatever happened, in order. */
  happened(events) {
    this.log.add(events);
    this.gauge.add(events);
  }

  /** Take the newest state; older ones (a slow answer) are dropped. */
  update(job) {
    if (job.id !== this.id || (this.job && job.revision < this.job.revision)) return;
    if (job.status === "deleted") {
      this.hooks.gone(t("job.deleted"));
      return;
    }
    const before = this.job;
    this.job = job;
    this.draw(job);
    this.hooks.changed(job, before);
  }

  draw(job) {
    show(this.empty, false);
    if (this.full.hidden) {
      show(this.full, true);
      this.root.style.minHeight = "";
      this.log.follow(); // its lines came while it was hidden and could not be scrolled
    }
    if (!FINAL.includes(job.status)) this.gauge.reserve();
    this.root.dataset.status = job.status;
    const { width, height } = job.expected ?? { width: 16, height: 9 };
    this.frame.style.setProperty("--shape", `${width} / ${height}`);
    this.frame.style.setProperty("--ratio", width / height);
    if (this.photo.getAttribute("src") !== job.poster) this.photo.src = job.poster;
    setText(this.name, job.name);
    setText(this.facts, this.describe(job));
    this.drawProgress(job);
    this.drawPicture(job);
    this.drawOutcome(job);
    this.drawActions(job);
  }

  describe(job) {
    const { settings, expected, video } = job;
    const made = video ?? expected;
    const parts = [settings.resolution];
    if (made) parts.push(`${made.width} × ${made.height}`, t("form.seconds_value", { n: settings.seconds }), t("form.per_second", { n: made.fps }));
    parts.push(settings.model, t("form.seed_is", { seed: settings.seed }));
    return parts.join(" · ");
  }

  drawProgress(job) {
    const at = FINAL.includes(job.status) ? -1 : job.status === "queued" ? 0 : Math.max(1, STAGES.indexOf(job.stage));
    for (const [index, item] of [...this.stages.children].entries()) {
      const state = job.status === "done" || index < at ? "past" : index === at ? "now" : "";
      if (item.className !== state) item.className = state;
      if (index === at) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
      setText(item, this.stageName(item.dataset.stage, job));
    }
    const part = job.status === "done" ? 1 : job.fraction;
    this.fill.style.setProperty("transform", `scaleX(${part})`);
    this.bar.setAttribute("aria-valuenow", Math.round(100 * part));
    this.bar.setAttribute("aria-label", t("job.progress"));
    this.bar.classList.toggle("waiting", job.status === "queued" || (job.status === "running" && job.fraction === 0));
    setText(this.now, this.sentence(job));
    setText(this.left, this.remaining(job));
  }

  /** Frames are decoded and smoothed in one go; the quality without frames in between only decodes. */
  stageName(stage, job) {
    const quality = this.options.qualities.find((one) => one.name === job.settings.quality);
    return t(stage === "decoding" && quality?.interpolation === 1 ? "stage.decoding_only" : `stage.${stage}`);
  }

  /** What happens now, in one line. */
  sentence(job) {
    if (job.status === "queued" && this.paused) return t("now.paused", { place: job.place });
    if (job.status === "queued") return job.attempt > 1 ? t("now.queued_again", { place: job.place, attempt: job.attempt }) : t("now.queued", { place: job.place });
    if (job.status !== "running") return t(`now.${job.status}`, { time: job.finished && job.started ? duration(job.finished - job.started) : "" });
    if (job.cancelling) return t("now.cancelling");
    const parts = [job.part ? t(`part.${job.part}`) : has(`now.${job.stage}`) ? t(`now.${job.stage}`) : t("now.starting")];
    if (job.stage === "sampling" && job.windows > 1) parts.push(t("now.window", { window: job.window, windows: job.windows }));
    if (job.part) parts.push(t("now.part", { step: job.step + 1, steps: job.steps }));
    else if (job.steps > 0) parts.push(t(job.stage === "decoding" ? "now.frame" : "now.step", { step: job.step, steps: job.steps }));
    return parts.join(" · ");
  }

  remaining(job) {
    if (job.status !== "running" || job.cancelling) return "";
    const percent = `${number(100 * job.fraction)} %`;
    return job.eta_seconds === null ? percent : `${percent} · ${t("now.left", { time: duration(job.eta_seconds) })}`;
  }

  drawPicture(job) {
    if (job.video) {
      if (this.video.getAttribute("src") !== job.video.url) {
        this.refused = "";
        this.video.src = job.video.url;
        this.video.poster = job.poster;
        if (!calm()) this.video.play().catch(() => {});
      }
    } else this.clearVideo();
    const refused = job.video ? this.refused : "";
    show(this.video, Boolean(job.video) && !refused);
    setText(this.unplayed, refused && t(refused));
    show(this.unplayed, Boolean(refused));
    const preview = job.status === "running" ? job.preview : "";
    if (preview && this.preview.dataset.wanted !== preview) this.swap(preview);
    show(this.preview, !job.video && Boolean(this.preview.getAttribute("src")));
    show(this.badge, job.status === "running" && Boolean(preview));
    setText(this.badge, t("job.preview"));
  }

  /** Load the next preview before it takes the last one's place, so that nothing flickers. Still, where motion is unwanted. */
  swap(address) {
    this.preview.dataset.wanted = address;
    const next = new Image();
    next.onload = () => {
      if (this.preview.dataset.wanted !== address || !this.job || this.job.video) return;
      this.preview.src = calm() ? still(next) : address;
      show(this.preview, true);
    };
    next.src = address;
  }

  /** Instead of a black player: why, and what helps. A file that is not there is told from one that is not understood. */
  async unplayable() {
    const address = this.video.getAttribute("src");
    if (!address) return;
    const answer = await fetch(address, { method: "GET", headers: { Range: "bytes=0-0" } }).catch(() => null);
    if (address !== this.video.getAttribute("src") || !this.job) return;
    this.refused = !answer ? "job.video_unreached" : answer.ok ? "job.video_unplayable" : "job.video_gone";
    this.drawPicture(this.job);
    this.drawActions(this.job);
  }

  clearVideo() {
    this.refused = "";
    if (!this.video.hasAttribute("src")) return;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }

  drawOutcome(job) {
    const failed = job.status === "failed" && Boolean(job.diagnosis);
    show(this.problem, failed);
    if (failed) this.drawFailure(job);
    const warnings = failed ? [] : job.warnings[language]; // a failure tells them as what was tried
    show(this.warnings, warnings.length > 0);
    this.warnings.replaceChildren(...warnings.map((text) => h("li", {}, text)));
    const { licence } = job;
    show(this.licence, Boolean(licence?.powered_by || licence?.notice));
    this.licence.replaceChildren(licence?.powered_by ? h("b", {}, licence.powered_by) : "", " ", licence?.notice ?? "");
  }

  /** What happened, why, what was tried, what to do; and the buttons that do it. */
  drawFailure(job) {
    const said = job.diagnosis[language];
    const text = `${language} ${job.id} ${job.error}`;
    if (this.problem.dataset.text === text) return;
    this.problem.dataset.text = text;
    const line = (key, words) => h("p", {}, h("b", {}, `${t(key)} `), words);
    this.problem.replaceChildren(
      h("h3", {}, said.title), line("why.cause", said.cause), said.tried.length ? line("why.tried", said.tried.join(" ")) : "", line("why.fix", said.fix),
      h("div", { class: "mend" }, mends(job, this.hooks), h("span", { class: "facts" }, said.code)),
      h("details", {}, h("summary", {}, t("job.details")), h("pre", {}, job.error)));
  }

  drawActions(job) {
    const { cancel, download, again, use } = this.buttons;
    const final = FINAL.includes(job.status);
    show(cancel, !final);
    cancel.disabled = job.cancelling;
    show(download, Boolean(job.video));
    if (job.video) download.href = job.video.download;
    const gone = Boolean(job.video) && this.refused === "job.video_gone";
    show(again, job.status === "cancelled" || gone); // a failure has its own buttons
    show(use, final);
    for (const [name, button] of Object.entries(this.buttons)) setText(button.querySelector("span"), t(`action.${name}`));
    this.root.title = job.created ? t("job.created", { when: when(job.created) }) : "";
  }

  async cancel() {
    this.buttons.cancel.disabled = true;
    try {
      this.update(await call(`/studio/jobs/${this.id}/cancel`, { method: "POST" }));
    } catch (refusal) {
      toast(refusal.message, "error");
      this.buttons.cancel.disabled = false;
    }
  }
}

/** The first frame of an animation, as an address. */
function still(image) {
  const canvas = h("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL();
}
