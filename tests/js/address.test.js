import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, afterLogin, folderOf, isKnownPath, knownView, readAddress, VIEWS } from "../../ui/static/page/address.js";

for (const view of VIEWS) {
  for (const job of [null, "0123456789ab"]) {
    test(`the address of ${view} and ${job ?? "no job"} is read as it was written`, () => {
      const address = new URL(addressOf(view, job), "http://here");
      assert.equal(address.pathname, "/");
      assert.deepEqual(readAddress(address.search), { view, job });
    });
  }
}

test("the first view without a job has the plain address", () => {
  assert.equal(addressOf("create", null), "./");
  assert.equal(addressOf("create", ""), "./");
});

test("what is not a view is the first one", () => {
  for (const name of ["", "Queue", "../queue", "constructor", null, undefined]) assert.equal(knownView(name), "create");
  assert.deepEqual(readAddress("?view=nonsense&job=1"), { view: "create", job: "1" });
});

test("a job's name cannot add to the address", () => {
  const address = addressOf("queue", "a&view=system#x");
  assert.deepEqual(readAddress(new URL(address, "http://here").search), { view: "queue", job: "a&view=system#x" });
});

const HERE = "http://127.0.0.1:7860";
const login = (/** @type {string} */ search) => `${HERE}/motion/login${search}`;

test("after the login one is where one wanted to be", () => {
  assert.equal(afterLogin(login("?next=.%2F%3Fview%3Dqueue")), `${HERE}/motion/?view=queue`);
  assert.equal(afterLogin(login("?next=%2Fmotion%2F%3Fview%3Dqueue")), `${HERE}/motion/?view=queue`);
  assert.equal(afterLogin(login("")), `${HERE}/motion/`);
});

for (const next of ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)", "http://127.0.0.1:7861/", "data:text/html,x"]) {
  test(`the login does not lead to ${next}`, () => {
    assert.equal(afterLogin(login(`?${new URLSearchParams({ next })}`)), "./");
  });
}

test("the page knows whether the program knows its path", () => {
  for (const [pathname, root] of [["/", ""], ["/motion/", "/motion"], ["/", "/motion"], ["/index.html", ""]]) assert.ok(isKnownPath(pathname, root));
  for (const [pathname, root] of [["/motion/", ""], ["/a/motion/", "/motion"], ["/motion/", "/motions"]]) assert.ok(!isKnownPath(pathname, root));
  assert.equal(folderOf("/a/b/login"), "/a/b/");
});
