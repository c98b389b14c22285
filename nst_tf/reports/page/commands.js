// Copies a command to the clipboard when its button is pressed.
(() => {
  "use strict";
  const announcement = document.getElementById("copied");

  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  async function copy(button) {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      select(code); // some browsers do not let a page from disk write to the clipboard
      document.execCommand("copy");
    }
    announcement.textContent = "Copied";
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
      announcement.textContent = "";
    }, 1500);
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
})();
