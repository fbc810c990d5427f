import assert from "node:assert/strict";
import { test } from "node:test";
import { cut, exportOf, frameAt, isStill, timeOf } from "../../ui/static/save/moments.js";

const CLIP = { width: 160, height: 90, frames: 72, fps: 12 };

test("a frame is shown from its time until the next one's", () => {
  assert.equal(frameAt(0, CLIP), 0);
  assert.equal(frameAt(1 / 12 - 0.002, CLIP), 0);
  assert.equal(frameAt(0.083333, CLIP), 1); // 1/12, as a player rounds it
  assert.equal(frameAt(5.99, CLIP), 71);
  assert.equal(frameAt(6, CLIP), 71); // a video that has ended shows its last frame
  assert.equal(frameAt(-1, CLIP), 0);
});

test("the time of a frame shows that frame", () => {
  for (const fps of [6, 12, 16, 24, 48]) {
    const clip = { ...CLIP, fps, frames: 20 };
    for (let frame = 0; frame < 20; frame += 1) assert.equal(frameAt(timeOf(frame, clip), clip), frame);
  }
});

test("one end moves, the other stays, and a frame is left", () => {
  assert.deepEqual(cut({ start: 0, end: 72 }, "start", 10, 72), { start: 10, end: 72 });
  assert.deepEqual(cut({ start: 10, end: 20 }, "start", 30, 72), { start: 19, end: 20 });
  assert.deepEqual(cut({ start: 10, end: 20 }, "end", 5, 72), { start: 10, end: 11 });
  assert.deepEqual(cut({ start: 10, end: 20 }, "end", 99, 72), { start: 10, end: 72 });
  assert.deepEqual(cut({ start: 10, end: 20 }, "start", -4, 72), { start: 0, end: 20 });
});

test("a still asks for its frame, everything else for its part", () => {
  const part = { start: 3, end: 9 };
  assert.deepEqual(exportOf("png", part, true, 5), { format: "png", frame: 5 });
  assert.deepEqual(exportOf("gif", part, true, 5), { format: "gif", start: 3, end: 9, ping_pong: true });
  assert.equal(isStill("jpg"), true);
  assert.equal(isStill("webp"), false);
});
