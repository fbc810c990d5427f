import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { clipSeconds, describe, ended, facts, progress, remaining, sentence, stageIndex, stageName, STAGES, waiting, startsIn } from "../../ui/static/job/job_words.js";
import { plain, speak } from "./words.js";

beforeEach(() => speak("en"));

const settings = { resolution: "480p", seconds: 6, quality: "standard", model: "mini", seed: 7, mode: "best" };
const job = (more = {}) => ({
  status: "running", cancelling: false, attempt: 1, place: 0, stage: "sampling", step: 3, steps: 25, part: "", window: 1,
  windows: 1, fraction: 0.426, eta_seconds: 75, started: 100, finished: null, settings, expected: null, video: null, ...more,
});

test("a job has ended when it is done, failed or cancelled", () => {
  assert.deepEqual(["queued", "running", "done", "failed", "cancelled"].map((status) => ended({ status })), [false, false, true, true, true]);
});

test("a job's stage has its place; one that runs has left the queue", () => {
  assert.equal(stageIndex(job({ status: "queued" })), 0);
  assert.equal(stageIndex(job({ stage: "" })), 1);
  assert.equal(stageIndex(job({ stage: "decoding" })), STAGES.indexOf("decoding"));
  assert.equal(stageIndex(job({ status: "done", stage: "saving" })), -1);
});

test("only a quality with frames in between smooths", () => {
  const qualities = [{ name: "standard", interpolation: 1 }, { name: "smooth", interpolation: 2 }];
  const smooth = job({ settings: { ...settings, quality: "smooth" } });
  const options = { qualities, models: [] };
  assert.notEqual(stageName("decoding", job(), options), stageName("decoding", smooth, options));
  assert.equal(stageName("sampling", job(), options), stageName("sampling", smooth, options));
  assert.equal(stageName("decoding", job(), { qualities: [], models: [] }), stageName("decoding", smooth, options)); // a preset that is gone
});

test("a model that samples as many frames as are shown smooths nothing", () => {
  const qualities = [{ name: "standard", interpolation: 2 }, { name: "smooth", interpolation: 4 }];
  const options = { qualities, models: [{ name: "wan", rates: { standard: [24, 1], smooth: [24, 2] } }, { name: "mini", rates: {} }] };
  const said = (model, quality) => stageName("decoding", job({ settings: { ...settings, model, quality } }), options);
  assert.notEqual(said("wan", "standard"), said("wan", "smooth"));
  assert.equal(said("wan", "smooth"), said("mini", "standard"));
});

test("settings in short; a quality of one's own has its own name", () => {
  assert.equal(describe(settings), "480p · 6 s · Standard · mini");
  assert.equal(describe({ ...settings, quality: "mine" }), "480p · 6 s · mine · mini");
  assert.equal(describe({ ...settings, mode: "fast" }), "480p · 6 s · Standard · mini · Fast");
});

test("a video that continues another one is as long as both", () => {
  const clip = { width: 848, height: 480, frames: 143, fps: 12 };
  const long = { ...clip, frames: 20 * 72 - 19 };
  assert.equal(describe(settings, clipSeconds(clip)), "480p · 12 s · Standard · mini");
  assert.equal(facts(job({ expected: clip })), "480p · 848 × 480 · 12 s · 12 fps · mini · seed 7");
  assert.equal(facts(job({ expected: clip, video: long })), "480p · 848 × 480 · 1 min 58 s · 12 fps · mini · seed 7");
});

test("the video's own size goes before the expected one", () => {
  const expected = { width: 848, height: 480, frames: 72, fps: 12 };
  assert.equal(facts(job({ expected })), "480p · 848 × 480 · 6 s · 12 fps · mini · seed 7");
  assert.equal(facts(job({ expected, video: { ...expected, width: 640 } })), "480p · 640 × 480 · 6 s · 12 fps · mini · seed 7");
  assert.equal(facts(job()), "480p · mini · seed 7");
  assert.equal(facts(job({ settings: { ...settings, mode: "balanced" } })), "480p · mini · Balanced · seed 7");
});

test("what is left is told while a job runs, the time only when it is known", () => {
  assert.equal(remaining(job()), "43 % · about 75 s left");
  assert.equal(remaining(job({ eta_seconds: null })), "43 %");
  assert.equal(remaining(job({ cancelling: true })), "");
  assert.equal(remaining(job({ status: "done" })), "");
  assert.equal(progress(job({ stage: "unheard of" })), "Starting · 43 % · about 75 s left");
});

const sentences = [
  ["one that waits", { status: "queued", place: 3 }, false],
  ["one that waits again", { status: "queued", place: 3, attempt: 2 }, false],
  ["one that waits while the queue is paused", { status: "queued", place: 3, attempt: 2 }, true],
  ["a step", {}, false],
  ["a window", { windows: 4, window: 2, step: 28, steps: 100 }, false],
  ["a part of the model", { stage: "loading", part: "unet", step: 1, steps: 4 }, false],
  ["a frame", { stage: "decoding", step: 10, steps: 72 }, false],
  ["a frame that is saved", { stage: "saving", step: 60, steps: 72 }, false],
  ["a stage without steps", { stage: "saving", steps: 0 }, false],
  ["one that is being cancelled", { cancelling: true }, false],
  ["one that is done", { status: "done", finished: 195 }, false],
  ["one that failed before it began", { status: "failed", started: null, finished: 195 }, false],
];
test("every state has a sentence of its own, in each language", () => {
  for (const language of ["en", "ru"]) {
    speak(language);
    const said = sentences.map(([, more, paused]) => sentence(job(more), paused));
    assert.equal(new Set(said).size, said.length);
    for (const text of said) assert.doesNotMatch(text, /\{|undefined|null|NaN|\w+\.\w+_?\w*$/);
  }
});

test("a stage that is one thing has no steps to count", () => {
  speak("en");
  assert.equal(sentence(job({ stage: "conditioning", step: 0, steps: 1 }), false), "Encoding the photo");
});

test("a count is told only of what it counts", () => {
  speak("en");
  const said = (more) => sentence(job(more), false);
  assert.equal(said({ step: 0, steps: 1 }), "Generating");
  assert.equal(said({ step: 0, steps: 24 }), "Generating");
  assert.equal(said({ step: 9, steps: 24 }), "Generating · step 9 of 24");
  assert.equal(said({ step: 24, steps: 48, window: 1, windows: 2 }), "Generating · part 1 of 2 · step 24 of 24");
  assert.equal(said({ step: 24, steps: 48, window: 2, windows: 2 }), "Generating · part 2 of 2");
  assert.equal(said({ step: 14, steps: 25, window: 1, windows: 2 }), "Generating · part 1 of 2");
  assert.equal(said({ stage: "decoding", step: 0, steps: 72 }), "Making frames");
});

test("no time is left that is too short to be known", () => {
  for (const eta_seconds of [0, 0.4, 4.9]) {
    assert.equal(remaining(job({ eta_seconds })), "43 % · a few seconds left");
    assert.match(progress(job({ eta_seconds })), /a few seconds left$/);
  }
  speak("ru");
  assert.match(remaining(job({ eta_seconds: 0 })), /осталось несколько секунд$/);
});

test("while the program does not answer, nothing is said to go on", () => {
  for (const status of ["queued", "running"]) assert.equal(sentence(job({ status }), true, true), "Resumes when the program runs again");
  assert.equal(remaining(job(), true), "43 %");
  assert.match(sentence(job({ status: "done", finished: 195 }), false, true), /95 s/);
});

test("in a list, a waiting job tells what it waits for besides its turn", () => {
  const one = { attempt: 1, place: 2, waits_for: null, starts_in: null };
  assert.equal(waiting(one, false), "");
  assert.equal(waiting(one, true), "Paused");
  assert.equal(waiting({ ...one, attempt: 2 }, true), "Paused");
  assert.match(waiting({ ...one, attempt: 2 }, false), /attempt 2/);
  assert.equal(waiting({ ...one, waits_for: { en: "no worker has it", ru: "" } }, true), "Paused · no worker has it");
});

test("a waiting job tells when it begins, where that is known", () => {
  const one = { attempt: 1, place: 2, waits_for: null, starts_in: 125 };
  assert.equal(plain(waiting(one, false)), "starts in about 2 min 5 s");
  assert.equal(waiting({ ...one, starts_in: 2 }, false), "starts in a moment");
  assert.match(plain(waiting({ ...one, attempt: 2 }, false)), /attempt 2 · starts in about 2 min 5 s/);
  assert.equal(startsIn({ starts_in: null }), "");
  speak("ru");
  assert.equal(plain(startsIn(one)), "начнётся примерно через 2 мин 5 с");
});

test("a job that no living worker can run says so, in the page's language", () => {
  const waits = { status: "queued", place: 1, waits_for: { en: "no worker has it", ru: "нигде нет" } };
  assert.equal(sentence(job(waits), false), "no worker has it");
  assert.equal(sentence(job(waits), true), "Paused, number 1 in the queue · no worker has it");
  speak("ru");
  assert.equal(sentence(job(waits), false), "нигде нет");
});

test("a sentence holds its numbers", () => {
  assert.match(sentence(job({ status: "queued", place: 3 }), false), /3/);
  assert.match(sentence(job({ windows: 4, window: 2, step: 28, steps: 100 }), false), /2.*4.*3.*25/); // those of the part
  assert.match(sentence(job({ stage: "loading", part: "unet", step: 1, steps: 4 }), false), /2.*4/); // parts are counted from one
  assert.match(sentence(job({ status: "done", finished: 195 }), false), /95 s/);
});
