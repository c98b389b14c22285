// A run enlarged, its picture against the photograph. The dialog gives the focus back to the button that opened it.
(() => {
  "use strict";
  const { runs } = JSON.parse(document.getElementById("data").textContent);
  const viewer = document.getElementById("viewer");
  const part = (selector) => viewer.querySelector(selector);
  const [compare, after, before, slider] = [".compare", ".after", ".before", "input"].map(part);
  let shown = 0;

  function slide() {
    compare.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} percent photograph`);
  }

  function element(kind, ...content) {
    const made = document.createElement(kind);
    made.append(...content);
    return made;
  }

  function group([name, facts]) {
    const list = element("dl", ...facts.flatMap(([term, value]) => [element("dt", term), element("dd", value)]));
    return [element("h3", name), list];
  }

  function showPicture(run) {
    compare.hidden = !run.file;
    part(".links").hidden = !run.file;
    before.hidden = slider.hidden = part(".handle").hidden = !run.content;
    part(".hint").textContent = !run.file
      ? "This run has left no picture."
      : run.content
        ? "Drag, or use the arrow keys, from the picture to the photograph."
        : "The photograph is not at hand to compare with.";
    if (!run.file) return;
    after.src = part(".links a").href = run.file;
    after.alt = run.alt;
    if (run.content) before.src = run.content;
    else before.removeAttribute("src");
    compare.style.setProperty("--width", run.width);
    compare.style.setProperty("--height", run.height);
  }

  function show(number) {
    shown = (number + runs.length) % runs.length;
    const run = runs[shown];
    part("#viewer-title").textContent = run.name === `run ${run.label}` ? `Run ${run.label}` : `Run ${run.label}: ${run.name}`;
    part(".ended").textContent = run.status + (run.best ? "; the best run" : "");
    showPicture(run);
    slider.value = 0;
    slide();
    part(".groups").replaceChildren(...run.facts.flatMap(group));
    part(".again").hidden = !run.command;
    part(".again code").textContent = run.command ?? "";
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-open]");
    if (!button) return;
    show(Number(button.dataset.open));
    viewer.showModal();
    (slider.hidden || compare.hidden ? part("[data-close]") : slider).focus();
  });
  viewer.addEventListener("click", (event) => {
    const { step } = event.target.dataset;
    if (step) show(shown + Number(step));
    if (event.target === viewer || "close" in event.target.dataset) viewer.close();
  });
  slider.addEventListener("input", slide);
})();
