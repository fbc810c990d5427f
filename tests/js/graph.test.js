import assert from "node:assert/strict";
import { test } from "node:test";
import { line, loadOf, memoryOf, scale, stretches } from "../../ui/static/job/device/graph.js";

const sample = (time, stage = "sampling", more = {}) => ({ time, device: "gpu", name: "", load: 50, used: 1, total: 4, temperature: null, stage, ...more });

test("the first sample is at the left edge, the last one at the right", () => {
  const samples = [sample(100), sample(115), sample(130)];
  assert.deepEqual(samples.map(scale(samples, 600)), [0, 300, 600]);
});

test("a few seconds fill a part of the width only, a single sample is at its beginning", () => {
  const two = [sample(100), sample(102)];
  assert.deepEqual(two.map(scale(two, 600)), [0, 120]);
  assert.deepEqual([sample(7)].map(scale([sample(7)], 600)), [0]);
});

test("a line begins with a move and goes on with lines; full load is at the top", () => {
  const samples = [sample(0, "", { load: 0 }), sample(10, "", { load: 100 }), sample(20, "", { load: 25 })];
  assert.equal(line(samples, scale(samples, 600), loadOf, 60), "M0.0 60.0L300.0 0.0L600.0 45.0");
});

test("what is not known counts as nothing", () => {
  assert.equal(loadOf(sample(0, "", { load: null })), 0);
  assert.equal(memoryOf(sample(0, "", { used: 5, total: 0 })), 0);
  assert.equal(memoryOf(sample(0)), 0.25);
});

test("stretches of one stage each follow one another without gaps", () => {
  const samples = [sample(0, "loading"), sample(1, "loading"), sample(2, "sampling"), sample(3, "sampling"), sample(4, "loading")];
  const found = stretches(samples).map(({ stage, begin, end }) => [stage, begin.time, end.time]);
  assert.deepEqual(found, [["loading", 0, 2], ["sampling", 2, 4], ["loading", 4, 4]]);
  assert.deepEqual(stretches([]), []);
});
