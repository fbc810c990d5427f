import assert from "node:assert/strict";
import { test } from "node:test";
import { anyLeft, newOnes } from "../../ui/static/job/job_words.js";
import { landsBefore, moveTarget, waitingOf } from "../../ui/static/queue/moves.js";

const job = (id, status = "queued") => ({ id, status });

test("a move stays inside the line", () => {
  assert.equal(moveTarget(2, -1, 4), 1);
  assert.equal(moveTarget(2, 1, 4), 3);
  assert.equal(moveTarget(2, -Infinity, 4), 0);
});

test("where nothing moves there is no target", () => {
  assert.equal(moveTarget(0, -1, 4), null); // the first
  assert.equal(moveTarget(0, -Infinity, 4), null);
  assert.equal(moveTarget(3, 1, 4), null); // the last
  assert.equal(moveTarget(-1, 1, 4), null); // it does not wait any more
  assert.equal(moveTarget(-1, -1, 0), null);
});

test("what runs does not wait", () => {
  assert.deepEqual(waitingOf([job("a", "running"), job("b"), job("c")]).map(({ id }) => id), ["b", "c"]);
});

test("upwards one lands before a row, downwards behind it, and never before what runs", () => {
  const line = [job("r", "running"), job("a"), job("b"), job("c")];
  assert.equal(landsBefore(line, "a", "c"), true);
  assert.equal(landsBefore(line, "c", "a"), false);
  assert.equal(landsBefore(line, "r", "a"), false);
  assert.equal(landsBefore(line, "gone", "a"), false);
});

test("a job that is gone from the line is noticed, one that has come is not", () => {
  assert.equal(anyLeft([job("a"), job("b")], [job("b"), job("c")]), true);
  assert.equal(anyLeft([job("b")], [job("c"), job("b")]), false);
  assert.equal(anyLeft([], [job("a")]), false);
});

test("new jobs keep their order", () => {
  assert.deepEqual(newOnes([job("d"), job("b"), job("c")], [job("b")]).map(({ id }) => id), ["d", "c"]);
});
