import assert from "node:assert/strict";
import { test } from "node:test";
import { commandKey } from "../../ui/static/lib/keyboard.js";

test("a Mac's keyboard has another key for it", () => {
  for (const platform of ["MacIntel", "iPhone", "iPad"]) assert.equal(commandKey(platform), "⌘");
  for (const platform of ["Win32", "Linux x86_64", ""]) assert.equal(commandKey(platform), "Ctrl");
});
