import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { bytes, clock, duration, memory, number, when } from "../../ui/static/lib/format.js";
import { plain, speak } from "./words.js";

beforeEach(() => speak("en"));

const durations = [
  [-3, "0 s"], [0, "0 s"], [0.4, "0 s"], [40, "40 s"], [99.4, "99 s"],
  [99.6, "1 min 40 s"], [200, "3 min 20 s"], [599, "9 min 59 s"],
  [600, "10 min"], [629, "10 min"], [630, "11 min"], [3569, "59 min"],
  [3570, "1 h 0 min"], [3599, "1 h 0 min"], [3600, "1 h 0 min"], [3900, "1 h 5 min"], [7190, "2 h 0 min"], [360000, "100 h 0 min"],
];
for (const [seconds, words] of durations) {
  test(`${seconds} seconds are ${words}`, () => assert.equal(duration(seconds), words));
}

const sizes = [
  [0, "0 B"], [999, "999 B"], [1000, "1 kB"], [999_400, "999 kB"], [999_600, "1.0 MB"], [1_250_000, "1.3 MB"],
  [99_940_000, "99.9 MB"], [99_960_000, "100 MB"], [999_400_000, "999 MB"], [999_600_000, "1.0 GB"],
  [9_560_000_000, "9.6 GB"], [2e12, "2.0 TB"], [5e15, "5,000 TB"],
];
for (const [size, words] of sizes) {
  test(`${size} bytes of a file are ${words}`, () => assert.equal(bytes(size), words));
}

test("memory is counted in powers of two", () => {
  assert.equal(memory(12 * 2 ** 30), "12.0 GB");
  assert.equal(memory(999 * 2 ** 20), "999 MB");
  assert.equal(memory(1002 * 2 ** 20), "1.0 GB");
});

test("numbers, units and times follow the language", () => {
  assert.equal(number(1234.5, 1), "1,234.5");
  assert.equal(plain(when(0)), "Jan 1, 1970, 12:00 AM");
  assert.equal(plain(clock(3661)), "01:01:01 AM");
  speak("ru");
  assert.equal(plain(number(1234.5, 1)), "1 234,5");
  assert.equal(plain(bytes(1_250_000)), "1,3 МБ");
  assert.equal(plain(duration(200)), "3 мин 20 с");
  assert.equal(clock(3661), "01:01:01");
});
