import assert from "node:assert/strict";
import { test } from "node:test";
import { arrival, asked, bestModel, changes, clipSize, costQuery, costTexts, EMPTY, frameCount, modelsQuery, motionNumber, motionOf, replaced, said, sameOffer, shownRate, sliders, takes, toGet, usable, usual, withListOfLoras } from "../../ui/static/create/form_values.js";

const gone = { en: "not here", ru: "нет" };
const MODES = { best: 25, balanced: 25, fast: 10 };
const model = (name, more = {}) => ({ name, demo: false, trial: false, missing: null, takes: ["fps"], rates: {}, modes: MODES, sampling: { steps: 25, fps: 7 }, ...more });
const options = {
  resolutions: [{ name: "480p", width: 848, height: 480 }, { name: "720p", width: 1280, height: 720 }],
  durations: [{ seconds: 6, fps: 6 }, { seconds: 12, fps: 6 }],
  qualities: [{ name: "standard", interpolation: 2 }, { name: "smooth", interpolation: 4 }],
  models: [model("mini", { demo: true, modes: { best: 8, fast: 4 } }), model("svd", { missing: gone }), model("svd-xt")],
  upscalers: [{ name: "sharp", missing: null }, { name: "sharper", missing: gone }],
  loras: ["style"],
  texts: [{ key: "prompt", own: true, folded: false }, { key: "negative_prompt", own: true, folded: true }],
  numbers: [{ key: "seed", own: false }, { key: "steps", own: false }, { key: "noise_aug_strength", own: true }, { key: "fps", own: true }],
};

test("what this place has stays", () => {
  const values = { ...EMPTY, resolution: "720p", seconds: 12, quality: "smooth", model: "mini", seed: 5, steps: 9 };
  assert.deepEqual(usable(values, options), values);
});

test("what is gone gives way to the first, and the model to the best", () => {
  const found = usable({ ...EMPTY, resolution: "4K", seconds: 99, quality: "old", model: "old", seed: 5 }, options);
  assert.deepEqual(found, { ...EMPTY, resolution: "480p", seconds: 6, quality: "standard", model: "svd-xt", seed: 5 });
});

test("a model that was chosen stays though its files are missing", () => {
  assert.equal(usable({ ...EMPTY, model: "svd" }, options).model, "svd");
});

test("the best model is a real one that is here, else the demo, else none", () => {
  const [mini, svd, xt] = options.models;
  assert.equal(bestModel([mini, svd, xt]), xt);
  assert.equal(bestModel([svd, mini]), mini);
  assert.equal(bestModel([svd]), undefined);
  assert.equal(usable(EMPTY, { ...options, models: [svd] }).model, "svd");
});

test("an upscaler that is not here is not used, and that is said", () => {
  assert.equal(usable({ ...EMPTY, upscaler: "sharp" }, options).upscaler, "sharp");
  for (const upscaler of ["sharper", "old"]) {
    const wanted = { ...EMPTY, upscaler };
    assert.equal(usable(wanted, options).upscaler, null);
    assert.deepEqual(replaced(wanted, usable(wanted, options)), ["upscaler"]);
  }
});

test("what a model does not take is not asked of it", () => {
  const values = { ...EMPTY, model: "svd-xt", seed: 5, steps: 9, noise_aug_strength: 0.1, fps: 7 };
  assert.deepEqual(usable(values, options), { ...values, noise_aug_strength: null });
  const none = { ...options, models: [model("wan", { takes: [] })] };
  assert.deepEqual(usable({ ...values, model: "wan" }, none), { ...values, model: "wan", noise_aug_strength: null, fps: null });
  assert.deepEqual(sliders(none).filter((number) => takes(none.models[0], number)).map(({ key }) => key), ["steps"]);
});

test("a mode that the model lacks gives way to the best one, and that is said", () => {
  const wanted = { ...EMPTY, model: "mini", mode: "balanced" };
  assert.equal(usable(wanted, options).mode, "best");
  assert.deepEqual(replaced(wanted, usable(wanted, options)), ["mode"]);
  assert.equal(usable({ ...wanted, mode: "fast" }, options).mode, "fast");
  assert.equal(usable({ ...wanted, model: "svd-xt" }, options).mode, "balanced");
});

test("where nobody chose a number the steps are the mode's, the others the model's", () => {
  const [mini, , xt] = options.models;
  assert.deepEqual(["best", "balanced", "fast"].map((mode) => usual(xt, "steps", mode)), [25, 25, 10]);
  assert.deepEqual([usual(mini, "steps", "fast"), usual(mini, "fps", "fast"), usual(mini, "seed", "fast")], [4, 7, null]);
});

test("motion is a word for a number; one of one's own is none of them", () => {
  const motions = { gentle: 60, normal: 127, strong: 180 };
  const told = model("svd-xt", { motions, sampling: { steps: 25, fps: 7, motion_bucket_id: 127 } });
  const at = (motion_bucket_id) => motionOf({ ...EMPTY, motion_bucket_id }, told);
  assert.deepEqual([null, 127, 60, 180, 90].map(at), ["normal", "normal", "gentle", "strong", ""]);
  assert.deepEqual(["gentle", "normal", "strong"].map((motion) => motionNumber(motion, told)), [60, null, 180]);
  assert.equal(motionOf(EMPTY, model("ltx", { motions: {} })), "");
  assert.equal(motionOf(EMPTY, undefined), "");
  const offered = { ...options, models: [told], numbers: [{ key: "motion_bucket_id", own: true }] };
  assert.deepEqual([60, 90].map((number) => changes({ ...EMPTY, model: "svd-xt", motion_bucket_id: number }, offered)), [0, 1]);
});

test("a model that has been downloaded arrives, a demo does not", () => {
  const [mini, svd, xt] = options.models;
  const now = [mini, { ...svd, missing: null }, xt];
  assert.equal(arrival(options.models, now)?.name, "svd");
  assert.equal(arrival(now, now), undefined);
  assert.equal(arrival([svd], [svd, mini]), undefined);
});

test("lists of models differ by their names and why they are missing", () => {
  const [mini, svd] = options.models;
  assert.equal(sameOffer([mini, svd], [{ ...mini, label: "x" }, { ...svd }]), true);
  assert.equal(sameOffer([mini, svd], [svd, mini]), false);
  assert.equal(sameOffer([svd], [{ ...svd, missing: null }]), false);
});

test("what could not be had is named", () => {
  const wanted = { ...EMPTY, model: "old", resolution: "4K" };
  assert.deepEqual(replaced(wanted, usable(wanted, options)), ["model", "resolution"]);
  assert.deepEqual(replaced(EMPTY, usable(EMPTY, options)), []); // no model was named
});

test("0 is a change, too", () => {
  assert.equal(changes(EMPTY, options), 0);
  assert.equal(changes({ ...EMPTY, seed: 5, noise_aug_strength: 0, fps: 7, detail: false, upscaler: "sharp" }, options), 4);
});

test("frames are those that come out; a quality that is gone adds none", () => {
  assert.equal(frameCount(options.durations[0], options.qualities[1]), 144);
  assert.equal(frameCount(options.durations[0], undefined), 36);
});

test("the photo's shape decides the size, where there is a photo", () => {
  const photo = { sizes: { "480p": [480, 848] } };
  assert.deepEqual(clipSize(options.resolutions[0], photo), [480, 848]);
  assert.deepEqual(clipSize(options.resolutions[1], photo), [1280, 720]);
  assert.deepEqual(clipSize(options.resolutions[0], undefined), [848, 480]);
});

test("the cost is asked for with what changes it", () => {
  assert.equal(costQuery({ ...EMPTY, model: "a b" }, undefined), "model=a+b&seconds=6&quality=standard&mode=best&detail=true");
  assert.equal(costQuery({ ...EMPTY, mode: "fast", steps: 9, detail: false, upscaler: "sharp" }, { width: 3, height: 4 }), "model=&seconds=6&quality=standard&mode=fast&detail=false&upscaler=sharp&steps=9&width=3&height=4");
});

test("a prompt goes only to a model that reads one, and is kept for it", () => {
  const values = { ...EMPTY, prompt: "waves roll in" };
  const [reading, other] = [model("ltx", { takes: ["prompt"] }), model("svd")];
  assert.equal(asked(values, reading, options).prompt, "waves roll in");
  assert.equal(asked(values, other, options).prompt, "");
  assert.equal(asked(values, undefined, options).prompt, "");
  assert.equal(usable(values, options).prompt, "waves roll in");
});

test("a negative prompt is a folded setting: null is the model's own, and one of another model is dropped", () => {
  const guided = { ...options, models: [model("wan", { takes: ["prompt", "negative_prompt"] }), model("ltx", { takes: ["prompt"] })] };
  const values = { ...EMPTY, model: "wan", prompt: "waves", negative_prompt: "" };
  assert.equal(usable(values, guided).negative_prompt, "");
  assert.deepEqual([changes(values, guided), changes({ ...values, negative_prompt: null }, guided)], [1, 0]);
  assert.equal(usable({ ...values, model: "ltx" }, guided).negative_prompt, null);
  assert.equal(asked(values, guided.models[0], guided).negative_prompt, "");
  assert.equal(asked(values, guided.models[1], guided).negative_prompt, null);
});

test("a loop is asked of models that can be told where a video ends", () => {
  const able = { ...options, models: [model("ltx", { takes: ["loop"] }), model("svd")] };
  const values = { ...EMPTY, model: "ltx", loop: true };
  assert.deepEqual([usable(values, able).loop, changes(values, able)], [true, 1]);
  assert.equal(usable({ ...values, model: "svd" }, able).loop, false);
});

test("a LoRA is chosen for models that take one, where its file is here", () => {
  const taking = { ...options, loras: ["style", "motion"], models: [model("wan", { takes: ["loras"] }), model("svd")] };
  const two = [{ name: "motion", strength: 0.5 }, { name: "style", strength: null }];
  const values = { ...EMPTY, model: "wan", loras: two };
  assert.deepEqual(usable(values, taking), values);
  assert.equal(changes(values, taking), 2);
  assert.deepEqual(usable({ ...values, model: "svd" }, taking), { ...values, model: "svd", loras: [] });
  const wanted = { ...values, loras: [{ name: "elsewhere", strength: null }, two[0]] };
  const used = usable(wanted, taking);
  assert.deepEqual(used.loras, [two[0]]);
  assert.deepEqual(replaced(wanted, used), ["loras"]);
  for (const loras of ["style", null, [null, 3, {}]]) assert.deepEqual(usable({ ...values, loras }, taking).loras, []);
  assert.deepEqual([said(wanted, "loras"), said(used, "loras")], ["elsewhere, motion", "motion"]);
});

test("a LoRA that an earlier version remembered is the first of the list", () => {
  assert.deepEqual(withListOfLoras({ seed: 5, lora: "style", lora_strength: 0.5 }), { seed: 5, loras: [{ name: "style", strength: 0.5 }] });
  assert.deepEqual(withListOfLoras({ seed: 5, lora: null, lora_strength: null }), { seed: 5 });
  assert.deepEqual(withListOfLoras({ loras: [] }), { loras: [] });
});

test("the cost is asked for with what ends the video, and with texts that the model reads", () => {
  assert.match(costQuery({ ...EMPTY, loop: true }, undefined), /&loop=true$/);
  assert.match(costQuery(EMPTY, undefined, true), /&last_photo=true$/);
  const told = { texts: [{ key: "prompt", own: true }, { key: "negative_prompt", own: true }] };
  const values = { ...EMPTY, prompt: "waves", negative_prompt: "rain", loras: [{ name: "style", strength: 0.5 }] };
  assert.deepEqual(costTexts(values, model("ltx", { takes: ["prompt"] }), told), { prompt: "waves", negative_prompt: null, loras: values.loras });
  assert.deepEqual(costTexts(values, model("svd"), told), { prompt: "", negative_prompt: null, loras: values.loras });
});

test("a model's own rates decide how many frames there are", () => {
  const [length, [standard]] = [options.durations[1], options.qualities];
  const own = model("ltx", { rates: { standard: [12, 2] } });
  assert.equal(frameCount(length, standard, own), 12 * 24);
  assert.equal(frameCount(length, standard, model("svd")), 12 * 12);
  assert.equal(shownRate(length, standard, own), 24);
  assert.equal(shownRate(undefined, undefined, undefined), 0);
});

test("the recommended model is offered to be fetched while it is not here", () => {
  const [mini, away] = options.models;
  const why = { en: "It needs no account.", ru: "Запись не нужна." };
  assert.equal(toGet([mini, away]), undefined);
  const wanted = { ...away, recommended: why };
  assert.equal(toGet([mini, wanted]), wanted);
  assert.equal(toGet([{ ...mini, recommended: why }, away]), undefined);
});

test("the times of all models are asked for the same video as the form's", () => {
  const values = { ...EMPTY, model: "svd", resolution: "720p", steps: 9, int8: true, shape: "1:1", fit: "pad" };
  const photo = { width: 40, height: 30 };
  const [one, all] = [costQuery(values, photo), modelsQuery(values, photo)].map((query) => new URLSearchParams(query));
  assert.equal(one.get("model"), "svd");
  assert.equal(all.get("resolution"), "720p");
  one.delete("model");
  all.delete("resolution");
  assert.deepEqual([...all], [...one]);
  assert.equal(all.get("int8"), "true");
});

test("a model to be tried is never chosen by itself", () => {
  const [mini] = options.models;
  const trial = model("ltx", { trial: true });
  assert.equal(bestModel([trial, mini]), mini);
  assert.equal(bestModel([trial]), trial);
  assert.equal(arrival([mini], [mini, trial]), undefined);
});

test("a shape decides the size, the photo's only where none is chosen", () => {
  const resolution = { name: "480p", width: 848, height: 480, shapes: { "1:1": [640, 640] } };
  const photo = { sizes: { "480p": [480, 848] } };
  assert.deepEqual(clipSize(resolution, photo, "1:1"), [640, 640]);
  assert.deepEqual(clipSize(resolution, photo, "photo"), [480, 848]);
  const offered = { ...options, resolutions: [resolution] };
  assert.equal(usable({ ...EMPTY, shape: "1:1" }, offered).shape, "1:1");
  assert.equal(usable({ ...EMPTY, shape: "3:2" }, offered).shape, "photo", "one that is gone");
  assert.match(costQuery({ ...EMPTY, shape: "1:1" }, undefined), /shape=1%3A1/);
});
