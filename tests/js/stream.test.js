// The live stream of a tab, over a connection that this test makes.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Stream } from "../../ui/static/page/stream.js";
import { speak } from "./words.js";

speak("en");
mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
const tab = Object.assign(new EventTarget(), { hidden: false });
globalThis.document = tab;
globalThis.window = new EventTarget();

class Source extends EventTarget {
  static OPEN = 1;
  static CLOSED = 2;
  static all = [];
  readyState = 0;

  constructor(address) {
    super();
    this.address = address;
    Source.all.push(this);
  }

  opens() {
    this.readyState = Source.OPEN;
    this.onopen();
  }

  says(name, data = {}) {
    this.dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data), lastEventId: "" }));
  }

  refused() {
    this.readyState = Source.CLOSED;
    return this.onerror();
  }

  close() {
    this.readyState = Source.CLOSED;
  }
}
globalThis.EventSource = Source;

let open = null;

/** The only stream; its handlers keep what they are told. */
function begun(job) {
  open?.close();
  Source.all.length = 0;
  const told = [];
  const keep = (name) => (value) => told.push([name, value]);
  const stream = new Stream({ job: keep("job"), log: keep("log"), machine: keep("machine"), trouble: keep("trouble"), reached: keep("reached"), gone: keep("gone") });
  stream.follow(job);
  open = stream;
  return { told, stream, newest: () => Source.all.at(-1) };
}

function answer(status, text) {
  return { status, text: () => Promise.resolve(text) };
}

/** From now on every question gets this answer. */
function answers(status, text) {
  globalThis.fetch = () => Promise.resolve(answer(status, text));
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

for (const [whose, status] of [["a page without a job", null], ["a job's", "0123456789ab"]]) {
  test(`a proxy that knows no program answers 404: ${whose} connection is lost, and nothing else`, async () => {
    const { told, newest } = begun(status);
    answers(404, "404 page not found");
    newest().refused();
    await settled();
    assert.deepEqual(told.map(([name]) => name), ["reached", "trouble"]);
    assert.deepEqual(told[0], ["reached", false]);
    assert.equal(Source.all.length, 1, "it is asked again after a while, not at once");
    mock.timers.tick(2000);
    assert.equal(Source.all.length, 2);
  });
}

test("the program says that there is no such job", async () => {
  const { told, newest } = begun("0123456789ab");
  answers(404, JSON.stringify({ error: "There is no job 0123456789ab." }));
  newest().refused();
  await settled();
  assert.deepEqual(told, [["gone", "There is no job 0123456789ab."]]);
});

test("an answer that breaks off is one that did not come", async () => {
  const { told, newest } = begun(null);
  globalThis.fetch = () => Promise.resolve({ status: 200, text: () => Promise.reject(new TypeError("terminated")) });
  newest().refused();
  await settled();
  assert.deepEqual(told[0], ["reached", false]);
});

test("a program that has ended is told, though each try to reach it fails anew", () => {
  const { told, newest } = begun(null);
  newest().opens();
  for (const way of ["first", "second"]) {
    told.length = 0;
    newest().readyState = 0; // the browser tries by itself, every second
    for (let tries = 0; tries < 3; tries += 1) {
      newest().onerror();
      mock.timers.tick(1000);
    }
    assert.deepEqual(told[0], ["reached", false], way);
    newest().opens();
  }
});

test("a stream that has died without a word is taken up anew", () => {
  const { told, newest } = begun(null);
  const first = newest();
  first.opens();
  for (let said = 0; said < 5; said += 1) {
    mock.timers.tick(15_000);
    first.says("alive");
  }
  assert.equal(Source.all.length, 1);
  told.length = 0;
  mock.timers.tick(40_000);
  assert.equal(Source.all.length, 2);
  assert.equal(first.readyState, Source.CLOSED);
  assert.deepEqual(told, [], "a line that is back at once is no trouble");
  mock.timers.tick(1500);
  assert.deepEqual(told[0], ["reached", false]);
  newest().opens();
  assert.deepEqual(told.slice(-2), [["reached", true], ["trouble", ""]]);
});

test("a hidden tab does not ask while it waits for its last answer", async () => {
  const { stream } = begun(null);
  let asked = 0;
  const waiting = [];
  globalThis.fetch = () => new Promise((resolve) => { asked += 1; waiting.push(resolve); });
  tab.hidden = true;
  stream.open();
  for (let time = 0; time < 4; time += 1) mock.timers.tick(5000);
  assert.equal(asked, 1);
  waiting[0](answer(200, "{}"));
  await settled();
  mock.timers.tick(5000);
  assert.equal(asked, 2);
  tab.hidden = false;
  stream.close();
});
