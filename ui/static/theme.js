// @ts-check
// Light or dark before the first paint, and that scripts run at all. A classic script on purpose: modules run after it.
(() => {
  document.documentElement.dataset.scripts = ""; // see .needs-scripts
  try {
    const stored = JSON.parse(localStorage.getItem("fanslymotion.theme") ?? "null");
    if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
  } catch {
    // storage may be blocked; then the system's colours are right
  }
})();
