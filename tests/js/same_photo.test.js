import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { apart, byPhoto, differing, pairTitle, withNext } from "../../ui/static/gallery/same_photo.js";
import { speak } from "./words.js";

const job = (id, photo_hash, settings = {}) => ({ id, photo_hash, settings: { seed: 1, steps: null, detail: true, mode: "best", prompt: "", ...settings } });

beforeEach(() => speak("en"));

test("videos of one photo stand where the first of them stands", () => {
  const jobs = [job("1", "a"), job("2", "b"), job("3", "a"), job("4", ""), job("5", "b"), job("6", "")];
  assert.deepEqual(byPhoto(jobs).map((takes) => takes.map(({ id }) => id)), [["1", "3"], ["2", "5"], ["4"], ["6"]]);
});

test("only videos of one photo are takes of it: a continued video begins with another", () => {
  const named = (name, photo_hash) => ({ ...job("1", photo_hash), name });
  assert.equal(pairTitle(named("sea.jpg", "a"), named("sea.jpg", "a")), "Two takes of sea.jpg");
  assert.equal(pairTitle(named("sea.jpg", "a"), named("sea.jpg", "b")), "sea.jpg");
  assert.equal(pairTitle(named("sea.jpg", "a"), named("hill.jpg", "b")), "sea.jpg · hill.jpg");
});

test("lengths have a unit, LoRAs their names, and numbers the language's own point", () => {
  const takes = [job("1", "a", { seconds: 6, loras: [], noise_aug_strength: 0.02 }), job("2", "a", { seconds: 12, loras: [{ name: "rain", strength: 0.8 }, { name: "slow", strength: null }], noise_aug_strength: 0.1 })];
  assert.equal(apart(takes[0], differing(takes), {}), "seconds: 6 s · loras: off · noise_aug_strength: 0.02");
  assert.equal(apart(takes[1], differing(takes), {}), "seconds: 12 s · loras: rain (0.80), slow · noise_aug_strength: 0.1");
  speak("ru");
  assert.equal(apart(takes[1], differing(takes), {}), "seconds: 12 с · loras: rain (0,80), slow · noise_aug_strength: 0,1");
});

test("what differs is named, and nothing else", () => {
  const takes = [job("1", "a", { seed: 5 }), job("2", "a", { seed: 6, steps: 10 }), job("3", "a", { seed: 7, detail: false, mode: "fast" })];
  assert.deepEqual(differing(takes), ["seed", "steps", "detail", "mode"]);
  const words = takes.map((take) => apart(take, differing(takes), {}));
  assert.equal(words[0], "seed: 5 · steps: model's default · detail: on · mode: Best");
  assert.equal(words[1], "seed: 6 · steps: 10 · detail: on · mode: Best");
  assert.equal(words[2], "seed: 7 · steps: model's default · detail: off · mode: Fast");
  assert.deepEqual(differing([takes[0], takes[0]]), []);
  assert.deepEqual(differing([takes[0]]), []);
  assert.deepEqual(differing([]), []);
});

test("other last pictures are told by their names", () => {
  const last = (name, hash) => ({ name, hash, url: "", poster: "" });
  const takes = [{ ...job("1", "a"), last_photo: last("sea.jpg", "s") }, { ...job("2", "a"), last_photo: last("sea.jpg", "s") }, { ...job("3", "a"), last_photo: null }, job("4", "a")];
  assert.deepEqual(differing(takes.slice(0, 2)), []);
  assert.deepEqual(differing(takes.slice(2)), []);
  assert.deepEqual(differing(takes), ["last_photo"]);
  assert.deepEqual(takes.map((take) => apart(take, ["last_photo"], { last_photo: { label: { en: "Last picture" } } })), ["Last picture: sea.jpg", "Last picture: sea.jpg", "Last picture: off", "Last picture: off"]);
});

test("a long prompt is cut", () => {
  const text = apart(job("1", "a", { prompt: "x".repeat(100) }), ["prompt"], {});
  assert.equal(text, `prompt: ${"x".repeat(40)}…`);
});

test("one is compared with the next, the last with the one before it", () => {
  const takes = ["1", "2", "3"].map((id) => job(id, "a"));
  assert.deepEqual(takes.map((take) => withNext(take, takes)), [["1", "2"], ["2", "3"], ["2", "3"]]);
});
