// @ts-check
// Talking to the server: requests that fail with a sentence, and uploads with progress.

import { language, t } from "./catalogue.js";

const PROXY_ALONE = [404, 502, 503, 504]; // the proxy answers, the program does not

/** What the server, or the way to it, refuses. */
export class Refusal extends Error {
  /**
   * @param {string} sentence for the user
   * @param {number} status of the answer, 0: there was none
   * @param {boolean} own the sentence is the program's; a proxy's answers have none
   */
  constructor(sentence, status, own = false) {
    super(sentence);
    this.status = status;
    this.own = own;
  }

  /** Whether the program says that there is no such thing. A proxy without a program behind it may answer 404, too. */
  get gone() {
    return this.status === 404 && this.own;
  }

  /** Whether the program did not answer: nothing came, or the words of a proxy. */
  get unreached() {
    return this.status === 0 || (!this.own && PROXY_ALONE.includes(this.status));
  }
}

/**
 * Ask the server; the answer's JSON, whose type is said where it is used (types.d.ts). A Refusal where it has none.
 *
 * @param {string} path
 * @param {{ method?: string, body?: unknown, keepalive?: boolean, signal?: AbortSignal }} [how]
 * @returns {Promise<any>}
 */
export async function call(path, { method = "GET", body, keepalive = false, signal } = {}) {
  let status, text;
  try {
    const answer = await fetch(path, {
      method,
      keepalive, // it may outlive the page
      signal,
      headers: { "Accept-Language": language, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    status = answer.status;
    text = await answer.text(); // may break off, too
  } catch {
    throw new Refusal(t("net.unreachable"), 0);
  }
  return settle(status, text);
}

/**
 * Send a file's bytes as they are; the server reads and checks them.
 *
 * @param {File} file
 * @param {(fraction: number) => void} progress during the upload
 * @param {AbortSignal} signal ends it
 * @returns {Promise<any>} the answer's JSON
 */
export function upload(file, progress, signal, place = "studio/photos") {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", place);
    request.setRequestHeader("Accept-Language", language);
    request.setRequestHeader("X-Photo-Name", encodeURIComponent(file.name || "photo"));
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = request.onabort = () => reject(new Refusal(t("net.upload_broken"), 0));
    signal.addEventListener("abort", () => request.abort());
    request.onload = () => {
      try {
        resolve(settle(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.send(file);
  });
}

/** @param {number} status @param {string} text of the answer */
function settle(status, text) {
  /** @type {any} */
  let data = {};
  try {
    data = JSON.parse(text);
  } catch {
    // a proxy's own error page; the status says enough
  }
  if (status === 401) {
    location.href = `login?next=${encodeURIComponent(location.pathname + location.search)}`;
  }
  if (status < 200 || status >= 300) {
    const foreign = status === 413 ? t("net.too_large") : t("net.failed", { status });
    throw new Refusal(data.error || foreign, status, Boolean(data.error));
  }
  return data;
}
