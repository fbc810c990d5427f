// @ts-check
// Gradio's own frontend: nothing that the page shows waits for it, so it is fetched when there is nothing else to do.

const PAUSE_MS = 3000;

export function startGradio() {
  const app = /** @type {HTMLElement | null} */ (document.querySelector("gradio-app[data-script]"));
  if (!app) return;
  setTimeout(() => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", crossOrigin: "", href: app.dataset.style });
    const script = Object.assign(document.createElement("script"), { type: "module", crossOrigin: "", src: app.dataset.script });
    document.head.prepend(style); // the page's own styles go before it
    document.head.append(script);
  }, PAUSE_MS);
}
