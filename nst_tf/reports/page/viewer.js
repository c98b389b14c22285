// Shows a run's picture in full size, with a slider that uncovers the photograph. When the dialog closes, the browser
// gives the focus back to the button that opened it.
(() => {
  "use strict";
  const { runs } = JSON.parse(document.getElementById("data").textContent);
  const viewer = document.getElementById("viewer");
  const part = (selector) => viewer.querySelector(selector);
  const [compare, after, before, slider] = [".compare", ".after", ".before", "input"].map(part);
  let current = 0;

  function moveHandle() {
    compare.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} percent photograph`);
  }

  function element(kind, ...content) {
    const node = document.createElement(kind);
    node.append(...content);
    return node;
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
      ? "This run has no picture."
      : run.content
        ? "Drag or use the arrow keys to uncover the photograph."
        : "The photograph is missing or has changed, so it cannot be shown here.";
    if (!run.file) return;
    after.src = part(".links a").href = run.file;
    after.alt = run.alt;
    if (run.content) before.src = run.content;
    else before.removeAttribute("src");
    compare.style.setProperty("--width", run.width);
    compare.style.setProperty("--height", run.height);
  }

  function show(number) {
    current = (number + runs.length) % runs.length;
    const run = runs[current];
    part("#viewer-title").textContent = run.name === `run ${run.label}` ? `Run ${run.label}` : `Run ${run.label}: ${run.name}`;
    part(".status").textContent = run.status + (run.best ? "; the best run" : "");
    showPicture(run);
    slider.value = 0;
    moveHandle();
    part(".groups").replaceChildren(...run.facts.flatMap(group));
    part(".command").hidden = !run.command;
    part(".command code").textContent = run.command ?? "";
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
    if (step) show(current + Number(step));
    if (event.target === viewer || "close" in event.target.dataset) viewer.close();
  });
  slider.addEventListener("input", moveHandle);
})();
