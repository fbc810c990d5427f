// @ts-check
// A video's other form on its way: started, asked for until it is there, ended on demand; and where it goes then.

import { language } from "../lib/catalogue.js";
import { h } from "../lib/dom.js";
import { call, Refusal } from "../lib/net.js";

/** @import { Export } from "../types.d.ts" */

const FIRST_MS = 120;
const MOST_MS = 800;

/**
 * Until it is there; null where it was ended. A Refusal where it cannot be made.
 *
 * @param {string} job its id
 * @param {object} wanted see `exportOf`
 * @param {(state: Export) => void} told each time that something is known
 * @param {AbortSignal} signal ends it
 * @returns {Promise<Export | null>}
 */
export async function make(job, wanted, told, signal) {
  const place = `studio/jobs/${job}/exports`;
  /** @type {Export} */
  let state = await call(place, { method: "POST", body: wanted });
  const end = () => call(`${place}/${state.name}`, { method: "DELETE" }).catch(() => {}); // it ends by itself, too
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  let pause = FIRST_MS;
  while (state.state === "waiting" || state.state === "running") {
    told(state);
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(MOST_MS, pause * 1.4);
    state = await call(`${place}/${state.name}`);
  }
  signal.removeEventListener("abort", end);
  told(state);
  if (state.state === "failed") throw new Refusal(state.error?.[language] ?? "", 500, true);
  return state.state === "done" ? state : null;
}

/** Save a file as the browser does. @param {string} address */
export function download(address) {
  h("a", { href: address, download: "" }).click();
}

/** @param {Export} made @param {string} name that the photo's name begins */
export async function asFile(made, name) {
  const answer = await fetch(made.url);
  if (!answer.ok) throw new Refusal(`${answer.status}`, answer.status);
  const content = await answer.blob();
  return new File([content], `${name.replace(/\.[^.]*$/, "")} ${made.name}`, { type: content.type });
}

/** Whether this browser passes files on to other programs; phones do, and only over https or on this machine. @param {File} [file] */
export function shares(file = new File([], "a.png", { type: "image/png" })) {
  return Boolean(navigator.canShare?.({ files: [file] }));
}
