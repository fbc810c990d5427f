// @ts-check
// Before the first paint, and before Gradio's script: a classic script on purpose, modules run after it.
(() => {
  // Gradio takes its address from the Host header, which a reverse proxy may have replaced by its own.
  const { gradio_config } = /** @type {{ gradio_config?: { root: string } }} */ (/** @type {unknown} */ (window));
  if (gradio_config) gradio_config.root = new URL(".", location.href).href.slice(0, -1);
  try {
    const stored = JSON.parse(localStorage.getItem("fanslymotion.theme") ?? "null");
    if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
  } catch {
    // storage may be blocked; then the system's colours are right
  }
})();
