// @ts-check
// Gradio's own frontend: nothing that the page shows waits for it, so it is fetched when there is nothing else to do.

const PAUSE_MS = 3000;

export function startGradio() {
  // Gradio takes its address from the Host header, which a reverse proxy may have replaced by its own.
  const { gradio_config } = /** @type {{ gradio_config?: { root: string } }} */ (/** @type {unknown} */ (window));
  if (gradio_config) gradio_config.root = new URL(".", location.href).href.slice(0, -1);
  const app = /** @type {HTMLElement | null} */ (document.querySelector("gradio-app[data-script]"));
  if (!app) return;
  setTimeout(() => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", crossOrigin: "", href: app.dataset.style });
    const script = Object.assign(document.createElement("script"), { type: "module", crossOrigin: "", src: app.dataset.script });
    document.head.prepend(style); // the page's own styles go before it
    document.head.append(script);
  }, PAUSE_MS);
}
