// Light and dark: the system's choice until the switch is used, which the browser then remembers.
(() => {
  "use strict";
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try {
      return localStorage.getItem("nst_tf theme");
    } catch {
      return null; // a browser may refuse storage to pages from disk
    }
  };
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

  function show(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-pressed", String(isDark()));
    document.dispatchEvent(new Event("themechange"));
  }

  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("nst_tf theme", theme);
    } catch {
      // the choice then lasts as long as the page
    }
    show(theme);
  });
  system.addEventListener("change", () => show());
  button.hidden = false;
  show(remembered());
})();
