// More videos than fit into one request.

import assert from "node:assert/strict";
import { test } from "node:test";
import { batches, favourMany, MOST, zipAddresses } from "../../ui/static/gallery/many.js";
import { speak } from "./words.js";

speak("en");
const ids = Array.from({ length: 2 * MOST + 1 }, (_, at) => String(at));

test("all of them, in order, never too many at once", () => {
  assert.deepEqual(batches(ids).map(({ length }) => length), [MOST, MOST, 1]);
  assert.deepEqual(batches(ids).flat(), ids);
  assert.deepEqual(batches([]), []);
  assert.deepEqual(zipAddresses(ids).flatMap((address) => address.split("=")[1].split(",")), ids);
});

test("all are asked for, and a star comes to all of them", async () => {
  const sizes = [];
  globalThis.fetch = (_, { body }) => {
    const { jobs } = JSON.parse(body);
    sizes.push(jobs.length);
    return Promise.resolve({ status: 200, text: () => Promise.resolve(JSON.stringify({ done: jobs, refused: {} })) });
  };
  const jobs = ids.map((id) => ({ id, favourite: false }));
  assert.equal(await favourMany(jobs), true);
  assert.deepEqual(sizes, [MOST, MOST, 1]);
  assert.ok(jobs.every(({ favourite }) => favourite));
});
