// @ts-check
// Log in, and go to the page that was wanted.

import { language, t } from "./lib/catalogue.js";
import { byId, find, setText, show } from "./lib/dom.js";
import { duration } from "./lib/format.js";
import { insistOnLanguage } from "./lib/i18n.js";
import { afterLogin } from "./page/address.js";

const form = /** @type {HTMLFormElement} */ (byId("login"));
const problem = byId("problem");

const words = insistOnLanguage(complain);
let sending = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await words; // listen first: who is quicker than the words must not send the form by the browser's own way
  if (sending) return; // each try counts
  sending = true;
  const fields = /** @type {[string, string][]} */ ([...new FormData(form)]); // no files are among them
  const sent = { method: "POST", headers: { "Accept-Language": language }, body: new URLSearchParams(fields) };
  const answer = await fetch("login", sent).catch(() => null);
  sending = false;
  if (answer?.ok) {
    location.href = afterLogin(location.href);
    return;
  }
  complain(answer ? await reason(answer) : t("net.unreachable"));
  /** @type {HTMLInputElement} */ (find(form, "#password")).select();
});

/** Why nobody is let in. What stands in front of the page may answer with a page of its own. @param {Response} answer */
async function reason(answer) {
  const { wait, error } = await answer.json().catch(() => ({}));
  if (wait) return t("login.wait", { time: duration(Math.ceil(wait)) });
  if (answer.status === 401) return t("login.wrong");
  return error || t("net.failed", { status: answer.status });
}

/** @param {string} sentence */
function complain(sentence) {
  setText(problem, sentence);
  show(problem, sentence !== "");
}
