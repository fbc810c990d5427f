import assert from "node:assert/strict";
import { test } from "node:test";
import { keyMove, within } from "../../ui/static/create/photo/crop_frame.js";
import { framing } from "../../ui/static/create/photo/framing.js";

const wide = { width: 2000, height: 1000 };
const tall = { width: 1000, height: 2000 };

test("a wide photo loses its sides to a square clip", () => {
  assert.deepEqual(framing(wide, [512, 512], "crop"), { ratio: 2, padded: false, inset: "0 25% 0 25%", axis: "x", free: 0.5 });
});

test("a tall photo loses top and bottom", () => {
  assert.deepEqual(framing(tall, [512, 512], "crop"), { ratio: 0.5, padded: false, inset: "25% 0 25% 0", axis: "y", free: 0.5 });
});

test("padding shows all of the photo on the clip's shape", () => {
  assert.partialDeepStrictEqual(framing(wide, [512, 512], "pad"), { ratio: 1, padded: true, inset: "" });
});

test("the same shape, or one as good as it, has no mark", () => {
  for (const fit of ["crop", "pad"]) assert.partialDeepStrictEqual(framing(wide, [1000, 500], fit), { ratio: 2, padded: false, inset: "" });
  assert.equal(framing(wide, [1950, 1000], "crop").inset, ""); // 2.5 %
  assert.equal(framing(wide, [1950, 1000], "pad").padded, true); // bars of that size are seen
});

test("while the clip's size is not known the photo is shown as it is", () => {
  assert.partialDeepStrictEqual(framing(tall, undefined, "crop"), { ratio: 0.5, padded: false, inset: "" });
});

test("the part that is kept lies where its position says", () => {
  assert.equal(framing(wide, [512, 512], "crop", 0).inset, "0 50% 0 0%");
  assert.equal(framing(tall, [512, 512], "crop", 1).inset, "50% 0 0% 0");
});

test("keys move it, and never over the edge", () => {
  assert.equal(keyMove("ArrowRight", 0.5), 0.52);
  assert.equal(keyMove("ArrowUp", 0.5), 0.48);
  assert.equal(keyMove("Home", 0.3), 0);
  assert.equal(keyMove("End", 0.3), 1);
  assert.equal(keyMove("PageDown", 0.9), 1);
  assert.equal(keyMove("a", 0.5), undefined);
  assert.equal(within(0.33333), 0.33);
});
