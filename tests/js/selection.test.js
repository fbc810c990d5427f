import assert from "node:assert/strict";
import { test } from "node:test";
import { Selection } from "../../ui/static/lib/selection.js";

const ORDER = ["a", "b", "c", "d", "e"];

test("one by one, and a range from the last one in both directions", () => {
  let told = 0;
  const selection = new Selection(() => (told += 1));
  selection.toggle("d", false, ORDER);
  selection.toggle("b", true, ORDER);
  assert.deepEqual(selection.inOrder(ORDER), ["b", "c", "d"]);
  selection.toggle("c", false, ORDER);
  assert.deepEqual(selection.inOrder(ORDER), ["b", "d"]);
  selection.toggle("e", true, ORDER);
  assert.deepEqual(selection.inOrder(ORDER), ["b", "c", "d", "e"]);
  assert.equal(told, 4);
});

test("a range without a beginning is one item", () => {
  const selection = new Selection(() => {});
  selection.toggle("c", true, ORDER);
  assert.deepEqual(selection.inOrder(ORDER), ["c"]);
});

test("what is gone is selected no longer", () => {
  let told = 0;
  const selection = new Selection(() => (told += 1));
  selection.all(ORDER);
  selection.keep(["a", "e", "f"]);
  assert.deepEqual(selection.inOrder(["e", "a"]), ["e", "a"]);
  selection.keep(["a", "e"]);
  assert.equal(told, 2, "nothing is told where nothing changes");
  selection.clear();
  selection.clear();
  assert.equal(told, 3);
});
