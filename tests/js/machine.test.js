import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { crashWords, recoveryNames } from "../../ui/static/job/recovery.js";
import { pillWords, shownWorker, workerKind, workersWords } from "../../ui/static/page/header.js";
import { tabTitle } from "../../ui/static/page/tab.js";
import { actsOf, downloading, speedWords } from "../../ui/static/system/model_row.js";
import { troubleWords, workerFacts, workerName } from "../../ui/static/system/worker_rows.js";
import { plain, speak } from "./words.js";

beforeEach(() => speak("en"));

const model = (more = {}) => ({ source: "hub", state: "ready", download: null, check: null, ...more });

test("what can be done with a model", () => {
  const cases = [
    ["ready", {}, ["check", "remove"]],
    ["missing", { state: "missing" }, ["download"]],
    ["damaged", { check: { status: "done", damaged: ["unet"] } }, ["download"]],
    ["being downloaded", { state: "partial", download: { status: "running" } }, ["stop"]],
    ["being checked", { check: { status: "running", damaged: [] } }, ["stop"]],
    ["half downloaded", { state: "partial", download: { status: "failed" } }, ["download"]],
    ["a folder of one's own", { source: "folder" }, ["forget"]],
    ["part of the program", { source: "bundled" }, []],
  ];
  for (const [name, more, acts] of cases) assert.deepEqual(actsOf(model(more)), acts, name);
});

test("a download that waits for its first byte is under way", () => {
  assert.deepEqual(["starting", "running", "failed", "interrupted"].map((status) => downloading(model({ download: { status } }))), [true, true, false, false]);
});

test("a download's speed and time are told when they are known; its own message goes before", () => {
  const download = { done: 1e9, total: 4e9, speed: 0, seconds_left: null, message: { en: "", ru: "" } };
  assert.equal(speedWords(download), "1.0 GB / 4.0 GB");
  assert.equal(speedWords({ ...download, speed: 2e7, seconds_left: 150 }), "1.0 GB / 4.0 GB · 20.0 MB per second · about 2 min 30 s left");
  assert.equal(speedWords({ ...download, message: { en: "waiting", ru: "ждёт" } }), "waiting");
});

test("the worker that runs a job stands for all", () => {
  const [idle, busy] = [{ state: "idle", alive: true }, { state: "running", alive: true }];
  assert.equal(shownWorker([idle, busy]), busy);
  assert.equal(shownWorker([idle]), idle);
  assert.equal(shownWorker([]), undefined);
});

test("of workers that are gone only a crash is told", () => {
  assert.equal(workerKind(undefined), "none");
  assert.equal(workerKind({ state: "running", alive: false }), "none");
  assert.equal(workerKind({ state: "crashed", alive: false }), "crashed");
  assert.equal(workerKind({ state: "idle", alive: true }), "idle");
});

test("a worker's name and facts", () => {
  const worker = { alive: true, state: "idle", device: { en: "RTX", ru: "RTX" }, pid: 5, host: "h", started: 0, heartbeat_age: 2, gpu: "" };
  assert.match(workerName(worker), / · RTX$/);
  assert.equal(workerName({ ...worker, alive: false, device: null }), workerName({ ...worker, alive: false, state: "stopped", device: null }));
  assert.match(plain(workerFacts(worker)), /5.*h.*1970.*2 s/);
  assert.doesNotMatch(workerFacts({ ...worker, heartbeat_age: undefined }), /·.*·.*·.*·/);
  assert.match(workerFacts({ ...worker, gpu: "GPU-1a2b3c4d-5e6f" }), / · GPU-1a2b3c4d$/);
  assert.doesNotMatch(workerFacts({ ...worker, gpu: "none" }), /none/);
});

test("one worker is told by its device, several by how many do the same", () => {
  const [busy, idle] = [{ state: "running", alive: true, device: { en: "RTX", ru: "RTX" } }, { state: "idle", alive: true, device: { en: "CPU", ru: "CPU" } }];
  const crashed = { state: "crashed", alive: false, device: { en: "RTX", ru: "RTX" } };
  assert.equal(workersWords([]), "No worker");
  assert.equal(workersWords([busy]), "Working · RTX");
  assert.equal(workersWords([crashed]), "Worker crashed");
  assert.equal(workersWords([idle, busy]), "Working · 1 of 2");
  assert.equal(workersWords([idle, crashed]), "Ready · 1 of 2");
  assert.equal(workersWords([busy, busy]), "Working · 2 of 2");
});

test("the pill tells a pause, and no worker's state while the program does not answer", () => {
  const [idle, busy] = [{ state: "idle", alive: true, device: { en: "CPU", ru: "CPU" } }, { state: "running", alive: true, device: { en: "RTX", ru: "RTX" } }];
  const said = (workers, paused, lost = false) => Object.values(pillWords({ workers, paused }, lost));
  assert.deepEqual(said([idle], false), ["idle", "Ready · CPU"]);
  assert.deepEqual(said([idle], true), ["paused", "Paused"]);
  assert.deepEqual(said([busy], true), ["running", "Paused · Working · RTX"]);
  assert.deepEqual(said([], true), ["none", "Paused · No worker"]);
  assert.deepEqual(said([busy], false, true), ["lost", "No connection"]);
});

test("a worker that runs again tells how often and why its predecessors died", () => {
  const last = { time: 0, cause: { en: "The memory was full.", ru: "" } };
  assert.equal(troubleWords({ restarts: 0, crashes: 0, last_crash: null }), "");
  assert.match(plain(troubleWords({ restarts: 0, crashes: 3, last_crash: last })), /^Crashed 3 times, last at .*1970.* The memory was full\.$/);
  assert.match(troubleWords({ restarts: 1, crashes: 1, last_crash: last, cause: last.cause }), /restarted automatically/);
});

test("a crash whose cause is not known is told all the same", () => {
  const known = crashWords({ cause: { en: "The memory was full.", ru: "" }, restarts: 2 });
  assert.match(known, /^.*The memory was full\..*2 times/);
  assert.doesNotMatch(crashWords({ cause: { en: "", ru: "" }, restarts: 1 }), /^ |undefined/);
});

test("what helps a failed job comes first, and a smaller size only where there is one", () => {
  assert.deepEqual(recoveryNames(undefined), ["retry"]);
  assert.deepEqual(recoveryNames({ action: "retry", resolution: "" }), ["retry"]);
  assert.deepEqual(recoveryNames({ action: "retry_smaller", resolution: "480p" }), ["retry_smaller", "retry"]);
  assert.deepEqual(recoveryNames({ action: "other_photo", resolution: "480p" }), ["other_photo", "retry", "retry_smaller"]);
  assert.deepEqual(recoveryNames({ action: "something new", resolution: "" }), ["retry"]);
});

test("the tab's title tells how far the job is", () => {
  assert.equal(tabTitle(null), "fanslymotion");
  assert.equal(tabTitle(null, false, "gallery"), "Gallery · fanslymotion");
  assert.equal(tabTitle({ status: "running", name: "cat.jpg", fraction: 0.426 }), "43 % · cat.jpg · fanslymotion");
  assert.equal(tabTitle({ status: "queued", name: "cat.jpg" }), "waiting · cat.jpg · fanslymotion");
  assert.equal(tabTitle({ status: "queued", name: "cat.jpg" }, true), "paused · cat.jpg · fanslymotion");
  assert.equal(tabTitle({ status: "done", name: "cat.jpg", fraction: 1 }), "done · cat.jpg · fanslymotion");
});
