// Light or dark before the first paint. A classic script on purpose: modules run after it.
(() => {
  const stored = localStorage.getItem("fanslymotion.theme");
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
})();
