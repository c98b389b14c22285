// Switches between light and dark. The system's setting is used until the reader presses the switch; the browser stores the choice.
(() => {
  "use strict";
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const storedTheme = () => {
    try {
      return localStorage.getItem("nst_tf theme");
    } catch {
      return null; // some browsers have no storage for pages from disk
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
      // without storage, the choice lasts until the page is closed
    }
    show(theme);
  });
  system.addEventListener("change", () => show());
  button.hidden = false;
  show(storedTheme());
})();
