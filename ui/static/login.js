// Log in, and go to the page that was wanted.

import { setText, show } from "./dom.js";
import { duration, insistOnLanguage, t } from "./i18n.js";

const form = document.getElementById("login");
const problem = document.getElementById("problem");

const words = insistOnLanguage(complain);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await words; // listen first: who is quicker than the words must not send the form by the browser's own way
  const answer = await fetch("/login", { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
  if (answer?.ok) {
    location.href = wanted();
    return;
  }
  const { wait } = answer ? await answer.json() : {};
  const sentence = !answer ? t("net.unreachable") : wait ? t("login.wait", { time: duration(Math.ceil(wait)) }) : t("login.wrong");
  complain(sentence);
  form.password.select();
});

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
