import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { has, language, nextLanguage, preferredLanguage, t, useCatalogue } from "../../ui/static/lib/catalogue.js";
import { speak } from "./words.js";

beforeEach(() => speak("en"));

test("a stored language goes before those of the browser", () => {
  assert.equal(preferredLanguage("ru", ["en-US"]), "ru");
  assert.equal(preferredLanguage("", ["de-DE", "RU-ru", "en"]), "ru");
});

test("a language that the page does not have is passed over", () => {
  assert.equal(preferredLanguage("fr", ["de"]), "en");
  assert.equal(preferredLanguage("", []), "en");
  assert.equal(preferredLanguage("toString", ["ru"]), "ru"); // a name that every object has
});

test("the switch goes from one language to the next, and round", () => {
  assert.equal(nextLanguage(), "ru");
  speak("ru");
  assert.equal(language, "ru");
  assert.equal(nextLanguage(), "en");
});

test("Russian has three forms of a whole number", () => {
  speak("ru");
  const forms = [1, 2, 5, 11, 21, 22, 25, 111].map((n) => t("form.frames", { n }));
  assert.deepEqual(forms, ["1 кадр", "2 кадра", "5 кадров", "11 кадров", "21 кадр", "22 кадра", "25 кадров", "111 кадров"]);
});

test("English has two", () => {
  assert.deepEqual([0, 1, 2].map((n) => t("form.frames", { n })), ["0 frames", "1 frame", "2 frames"]);
});

test("places are filled, also with 0; one without a value is left empty", () => {
  useCatalogue("en", { "a.b": "{x} of {y}{z}" });
  assert.equal(t("a.b", { x: 0, y: "<b>" }), "0 of <b>");
});

test("a form that a language lacks is its general one", () => {
  useCatalogue("ru", { "a.few": "few {n}", "a.other": "other {n}" });
  assert.equal(t("a", { n: 2 }), "few 2");
  assert.equal(t("a", { n: 5 }), "other 5");
});

test("a key that is unknown is shown as it is", () => {
  assert.equal(t("no.such_key"), "no.such_key");
  assert.equal(t("no.such_key", { n: 2 }), "no.such_key");
  assert.equal(has("no.such_key"), false);
  assert.equal(has("now.sampling"), true);
});
