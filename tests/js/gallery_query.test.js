import assert from "node:assert/strict";
import { test } from "node:test";
import { galleryQuery, merged, narrowed, NO_FILTERS } from "../../ui/static/gallery/gallery_query.js";

test("without filters all finished videos are asked for", () => {
  const query = Object.fromEntries(galleryQuery(NO_FILTERS, ""));
  assert.deepEqual(query, { kind: "done", after: "", limit: "24", text: "", model: "", resolution: "", favourite: "false" });
});

test("days are counted by the program: the browser's clock may be wrong", () => {
  assert.equal(galleryQuery({ ...NO_FILTERS, days: "7" }, "").get("days"), "7");
  assert.equal(galleryQuery({ ...NO_FILTERS, days: "7" }, "").has("since"), false);
});

test("words are asked for as they were typed", () => {
  const query = new URLSearchParams(galleryQuery({ ...NO_FILTERS, text: "a&b=ё #1", favourite: true }, "5.5 x").toString());
  assert.deepEqual([query.get("text"), query.get("after"), query.get("favourite")], ["a&b=ё #1", "5.5 x", "true"]);
});

test("each filter narrows", () => {
  assert.equal(narrowed(NO_FILTERS), false);
  for (const some of [{ text: "x" }, { model: "mini" }, { resolution: "480p" }, { days: "1" }, { favourite: true }]) {
    assert.equal(narrowed({ ...NO_FILTERS, ...some }), true);
  }
});

test("known videos stay the same objects, with their newest state", () => {
  const known = [{ id: "a", favourite: false, place: 1 }, { id: "b", favourite: true, place: 1 }];
  const starred = [];
  const found = merged([{ id: "c", favourite: true }, { id: "a", favourite: true, place: 2 }, { id: "b", favourite: true, place: 3 }], known, (id) => starred.push(id));
  assert.deepEqual(starred, ["a"]);
  assert.equal(found[1], known[0]);
  assert.deepEqual(found.map(({ id, place }) => [id, place]), [["c", undefined], ["a", 2], ["b", 3]]);
});

test("an answer that was on its way takes back no star", () => {
  const known = [{ id: "a", favourite: true, revision: 4 }];
  const starred = [];
  const [found] = merged([{ id: "a", favourite: false, revision: 3 }], known, (id) => starred.push(id));
  assert.equal(found, known[0]);
  assert.deepEqual([found.favourite, found.revision, starred], [true, 4, []]);
});
