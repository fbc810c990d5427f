// Log in, and go to the page that was wanted.

import { setText, show } from "./dom.js";
import { duration, insistOnLanguage, language, t } from "./i18n.js";

const form = document.getElementById("login");
const problem = document.getElementById("problem");

const words = insistOnLanguage(complain);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await words; // listen first: who is quicker than the words must not send the form by the browser's own way
  const sent = { method: "POST", headers: { "Accept-Language": language }, body: new URLSearchParams(new FormData(form)) };
  const answer = await fetch("/login", sent).catch(() => null);
  if (answer?.ok) {
    location.href = wanted();
    return;
  }
  complain(answer ? await reason(answer) : t("net.unreachable"));
  form.password.select();
});

/** Why nobody is let in. What stands in front of the page may answer with a page of its own. */
async function reason(answer) {
  const { wait, error } = await answer.json().catch(() => ({}));
  if (wait) return t("login.wait", { time: duration(Math.ceil(wait)) });
  if (answer.status === 401) return t("login.wrong");
  return error || t("net.failed", { status: answer.status });
}

function complain(sentence) {
  setText(problem, sentence);
  show(problem, sentence !== "");
}

/** Only a path of this page: a link must not lead elsewhere after the login. */
function wanted() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  const address = new URL(next, location.origin);
  return address.origin === location.origin ? address.href : "/"; // not its path: "//elsewhere" would lead away
}
