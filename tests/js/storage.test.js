// What the browser remembers may be anything: another version's, or an extension's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { recall, remember } from "../../ui/static/lib/storage.js";

const kept = new Map();
globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };

test("what was remembered comes back", () => {
  for (const value of [["a"], { a: 1 }, "text", 7, true, false]) {
    remember("one", value);
    assert.deepEqual(recall("one", value), value);
  }
  remember("one", false);
  assert.equal(recall("one", true), false);
});

test("what is of another kind is as good as nothing", () => {
  for (const text of ["{}", "[]", "\"text\"", "7", "true", "null", "no JSON"]) {
    kept.set("fanslymotion.one", text);
    for (const otherwise of [["a"], { a: 1 }, "text", 7, true]) {
      const found = recall("one", otherwise);
      assert.equal(Array.isArray(found), Array.isArray(otherwise), text);
      assert.equal(typeof found, typeof otherwise, text);
    }
  }
});
