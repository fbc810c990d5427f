import assert from "node:assert/strict";
import { test } from "node:test";
import { framing } from "../../ui/static/create/framing.js";

const wide = { width: 2000, height: 1000 };
const tall = { width: 1000, height: 2000 };

test("a wide photo loses its sides to a square clip", () => {
  assert.deepEqual(framing(wide, [512, 512], "crop"), { ratio: 2, padded: false, inset: "0 25%" });
});

test("a tall photo loses top and bottom", () => {
  assert.deepEqual(framing(tall, [512, 512], "crop"), { ratio: 0.5, padded: false, inset: "25% 0" });
});

test("padding shows all of the photo on the clip's shape", () => {
  assert.deepEqual(framing(wide, [512, 512], "pad"), { ratio: 1, padded: true, inset: "" });
});

test("the same shape, or one as good as it, has no mark", () => {
  for (const fit of ["crop", "pad"]) assert.deepEqual(framing(wide, [1000, 500], fit), { ratio: 2, padded: false, inset: "" });
  assert.equal(framing(wide, [1950, 1000], "crop").inset, ""); // 2.5 %
  assert.equal(framing(wide, [1950, 1000], "pad").padded, true); // bars of that size are seen
});

test("while the clip's size is not known the photo is shown as it is", () => {
  assert.deepEqual(framing(tall, undefined, "crop"), { ratio: 0.5, padded: false, inset: "" });
});
