// SPDX-License-Identifier: Apache-2.0
/* Light or dark as the visitor chose it. In the head and not a module: it must run before the
   first paint, or a dark page would flash white. */
(() => {
  const KEY = "theme";
  const root = document.documentElement;
  const fixed = root.dataset.themeFixed !== undefined; // a hall's screen has one theme

  /** @returns {string | null} */
  function kept() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is forbidden: the system's wish counts
    }
  }

  const chosen = kept();
  if (!fixed && (chosen === "light" || chosen === "dark")) root.dataset.theme = chosen;

  addEventListener("DOMContentLoaded", () => {
    document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // it holds for this page then
      }
    });
  });
})();
