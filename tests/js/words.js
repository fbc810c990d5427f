// The real catalogues, for tests of what the page says.

import { readFileSync } from "node:fs";
import { useCatalogue } from "../../ui/static/lib/catalogue.js";

process.env.TZ = "UTC";

/** From now on the page speaks this language. */
export function speak(language) {
  const file = new URL(`../../ui/locales/${language}.json`, import.meta.url);
  useCatalogue(language, JSON.parse(readFileSync(file, "utf8")));
}

/** Spaces of every kind as plain ones: which kind stands in a number differs by ICU's version. */
export function plain(text) {
  return text.replace(/\s/g, " ");
}
