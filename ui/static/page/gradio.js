// @ts-check
// Gradio's own frontend: nothing that the page shows waits for it, so it is fetched when there is nothing else to do.

const PAUSE_MS = 10_000; // a short visit does without: it costs as much processor time as all of the page
const FRAME_MS = 1000;

export function startGradio() {
  // Gradio takes its address from the Host header, which a reverse proxy may have replaced by its own.
  const { gradio_config } = /** @type {{ gradio_config?: { root: string } }} */ (/** @type {unknown} */ (window));
  if (gradio_config) gradio_config.root = new URL(".", location.href).href.slice(0, -1);
  const app = /** @type {HTMLElement | null} */ (document.querySelector("gradio-app[data-script]"));
  if (!app) return;
  setTimeout(() => {
    giveSlowFrames(app);
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", crossOrigin: "", href: app.dataset.style });
    const script = Object.assign(document.createElement("script"), { type: "module", crossOrigin: "", src: app.dataset.script });
    document.head.prepend(style); // the page's own styles go before it
    document.head.append(script);
  }, PAUSE_MS);
}

/**
 * Give Gradio one frame a second. Its status tracker (6.31) asks for one after the other for as long as the page is
 * open, though it has been taken away: 7 % of a processor for each tab in front. Nothing of Gradio's is shown here.
 *
 * It keeps the function that it finds while it loads; afterwards the browser's own stands there again.
 *
 * @param {HTMLElement} app
 */
function giveSlowFrames(app) {
  const { requestAnimationFrame } = window;
  window.requestAnimationFrame = (callback) => setTimeout(() => callback(performance.now()), FRAME_MS);
  new MutationObserver((_, watch) => {
    if (!app.querySelector(".gradio-container")) return;
    watch.disconnect();
    window.requestAnimationFrame = requestAnimationFrame;
  }).observe(app, { childList: true, subtree: true });
}
