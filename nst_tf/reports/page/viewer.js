// The dialog that shows one run in full size: its parameters as controls, a comparison with an input or another run, its
// figures, and the settings in which the two differ. The address of the page names the run and the comparison. Zoom,
// position, wipe and comparison stay when the run changes. When the dialog closes, the browser gives the focus back.
(() => {
  "use strict";
  const { axes, columns, settings, runs } = JSON.parse(document.getElementById("data").textContent);
  const PHOTOGRAPH = "input:content";
  const viewer = document.getElementById("viewer");
  const part = (selector) => viewer.querySelector(selector);
  const tools = part(".tools");
  const stageElement = part(".stage");
  const chosen = tools.elements.with;
  const indices = new Map(runs.map((run, index) => [run.label, index]));
  let current = 0;
  let filmPlays = false;

  const stage = createStage(stageElement, ({ wipe, percent }) => {
    tools.elements.wipe.value = wipe;
    tools.elements.wipe.setAttribute("aria-valuetext", `${wipe} percent of the comparison`);
    part(".zoom output").textContent = `${percent} %`;
  });

  const runTitle = (run) => `run ${run.label}`;
  const optionText = (run) => (run.name === runTitle(run) ? run.name : `${runTitle(run)}: ${run.name}`);

  // Index of the run with which the current one is compared; null for an input or for no comparison.
  const comparedRun = () => (chosen.value.startsWith("run:") ? Number(chosen.value.slice(4)) : null);

  // File and name of the comparison; undefined where there is none, or where its file is missing.
  function comparison(run) {
    if (chosen.value === PHOTOGRAPH) return run.content ? { file: run.content, name: "photograph" } : undefined;
    const index = comparedRun();
    if (index !== null) return runs[index].file ? { file: runs[index].file, name: runTitle(runs[index]) } : undefined;
    const style = run.styles.find(([role]) => `input:${role}` === chosen.value);
    return style && { file: style[2], name: `painting ${style[1]}` };
  }

  function fillChoices() {
    const roles = new Set(runs.flatMap((run) => run.styles.map(([role]) => `input:${role}`)));
    chosen.append(new Option("nothing", ""));
    if (runs.some((run) => run.content)) chosen.append(new Option("photograph", PHOTOGRAPH));
    for (const role of [...roles].sort()) chosen.append(new Option("painting", role));
    const others = element("optgroup", { label: "Runs" });
    others.append(...runs.map((run, index) => new Option(optionText(run), `run:${index}`)));
    chosen.append(others);
    chosen.value = chosen.options.length > 1 && chosen.options[1].value === PHOTOGRAPH ? PHOTOGRAPH : "";
  }

  function nameStyles(run) {
    for (const [role, name] of run.styles) {
      const option = [...chosen.options].find(({ value }) => value === `input:${role}`);
      option.text = `painting ${name}`;
    }
  }

  // A slider for three or more numbers, else a list. Both hold the index of the value.
  function axisControl(axis, index) {
    const isNumeric = axis.values.length > 2 && axis.values.every((value) => value !== "" && !Number.isNaN(Number(value)));
    const control = isNumeric
      ? element("input", { type: "range", min: 0, max: axis.values.length - 1, step: 1 })
      : element("select", {}, ...axis.values.map((value, place) => new Option(value, place)));
    control.dataset.axis = index;
    const output = isNumeric ? [element("output")] : [];
    return element("label", {}, element("span", {}, axis.title), control, ...output);
  }

  function showAxes(run) {
    for (const control of part(".axes").querySelectorAll("[data-axis]")) {
      const index = Number(control.dataset.axis);
      const value = axes[index].values[run.point[index]];
      control.value = run.point[index];
      if (control.type !== "range") continue;
      control.setAttribute("aria-valuetext", value);
      control.nextElementSibling.value = value;
    }
  }

  // The run with this value that agrees with the current one in most other parameters, and is nearest in the rest.
  function nearestRun(axis, value) {
    const point = runs[current].point;
    const rank = (run) =>
      run.point.reduce(([unequal, steps], own, index) => {
        const apart = index === axis ? 0 : Math.abs(own - point[index]);
        return [unequal + (apart > 0), steps + apart];
      }, [0, 0]);
    let best = null;
    for (const [index, run] of runs.entries()) {
      if (run.point[axis] !== value) continue;
      const [unequal, steps] = rank(run);
      if (!best || unequal < best.unequal || (unequal === best.unequal && steps < best.steps)) best = { index, unequal, steps };
    }
    return best;
  }

  function showPictures(run) {
    const other = run.file ? comparison(run) : undefined;
    const { after, before } = stage.layers;
    for (const hidden of [after, part(".links")]) hidden.hidden = !run.file;
    part(".empty").hidden = Boolean(run.file);
    const mode = other ? tools.elements.mode.value : "one";
    tools.dataset.mode = mode;
    before.hidden = !other;
    filmPlays &&= Boolean(run.film);
    const film = part("[data-film]");
    film.hidden = !run.film;
    film.setAttribute("aria-pressed", filmPlays);
    film.textContent = filmPlays ? "Stop the film" : "Play the film";
    if (run.file) {
      after.querySelector("img").src = filmPlays ? run.film : run.file;
      after.querySelector("img").alt = filmPlays ? `Film of ${runTitle(run)}` : run.alt;
      after.querySelector(".label").textContent = filmPlays ? `film of ${runTitle(run)}` : runTitle(run);
      part(".links a").href = run.file;
    }
    if (other) {
      before.querySelector("img").src = other.file;
      before.querySelector("img").alt = `For comparison: ${other.name}`;
      before.querySelector(".label").textContent = other.name;
    } else before.querySelector("img").removeAttribute("src");
    stage.arrange(run.file ? run : null, mode);
    const missing = run.file && chosen.value !== "" && !other;
    hint(missing ? "The comparison is missing: its file is gone or has changed since the run." : "");
  }

  function hint(text) {
    part(".hint").textContent = text;
  }

  const row = (kind, ...texts) => element("tr", {}, ...texts.map((text, index) => element(index ? kind : "th", index ? {} : { scope: "row" }, text)));

  function tableHead(first, compared) {
    const names = [first, runTitle(runs[current]), ...(compared === null ? [] : [runTitle(runs[compared])])];
    return element("thead", {}, element("tr", {}, ...names.map((text) => element("th", { scope: "col" }, text))));
  }

  function showFigures(run, compared) {
    const body = element("tbody");
    let last = null;
    for (const [index, [group, heading]] of columns.entries()) {
      const texts = [run.figures[index], ...(compared === null ? [] : [runs[compared].figures[index]])];
      if (!texts.some(Boolean)) continue;
      if (group !== last) body.append(element("tr", { className: "group" }, element("th", { scope: "rowgroup", colSpan: 3 }, group)));
      last = group;
      body.append(row("td", heading, ...texts.map((text) => text || "–")));
    }
    part(".figures").replaceChildren(tableHead("figure", compared), body);
  }

  function showDifferences(compared) {
    const different = compared === null ? [] : settings.filter(([, , places]) => places[current] !== places[compared]);
    const table = part(".differences table");
    const text = (values, place) => values[place] ?? "–";
    const equal = different.length ? "" : `Run ${runs[current].label} and run ${runs[compared ?? current].label} have equal settings.`;
    part(".differences h3").textContent = different.length ? `Settings that differ: ${different.length}` : "Settings that differ";
    part(".differences p").textContent = compared === null ? "Compare with another run to see them." : equal;
    table.hidden = !different.length;
    if (table.hidden) return;
    const rows = different.map(([key, values, places]) => row("td", key, text(values, places[current]), text(values, places[compared])));
    table.replaceChildren(tableHead("setting", compared), element("tbody", {}, ...rows));
  }

  function writeAddress() {
    const compared = comparedRun();
    const address = new URLSearchParams({ run: runs[current].label });
    if (compared !== null) address.set("with", runs[compared].label);
    else if (chosen.value !== PHOTOGRAPH) address.set("with", chosen.value || "nothing");
    history.replaceState(null, "", `#${address}`);
  }

  function show(number) {
    if (number !== current) filmPlays = false;
    current = (number + runs.length) % runs.length;
    const run = runs[current];
    const title = `Run ${run.label}`;
    part("#viewer-title").textContent = run.name === runTitle(run) ? title : `${title}: ${run.name}`;
    part(".status").textContent = run.status + (run.mark && `; ${run.mark}`);
    nameStyles(run);
    showAxes(run);
    showPictures(run);
    const compared = comparedRun();
    showFigures(run, compared);
    showDifferences(compared);
    part(".command").hidden = !run.command;
    part(".command code").textContent = run.command ?? "";
    writeAddress();
    for (const step of [1, -1]) {
      const { file } = runs[(current + step + runs.length) % runs.length];
      if (file) new Image().src = file; // so that the next run appears at once
    }
    keepFocus();
  }

  // Gives the focus to the picture when the focused control is no longer visible, so that keys still arrive.
  function keepFocus() {
    const focused = document.activeElement;
    const isVisible = viewer.contains(focused) && focused.checkVisibility({ visibilityProperty: true });
    if (viewer.open && !isVisible) stageElement.focus();
  }

  function open(number) {
    if (!viewer.open) viewer.showModal(); // the stage has a size only in an open dialog
    show(number);
    stageElement.focus();
  }

  function compareWith(value) {
    chosen.value = value;
    if (value !== "" && (stage.wipe === 0 || stage.wipe === 100)) stage.setWipe(50);
    show(current);
  }

  fillChoices();

  // What the address calls a comparison: nothing, input:content, input:style:1, or the label of a run.
  const inputs = [...chosen.options].map(({ value }) => value).filter((value) => value.startsWith("input:"));
  const comparisons = new Map([["nothing", ""], ...inputs.map((value) => [value, value])]);
  for (const [label, index] of indices) comparisons.set(label, `run:${index}`);

  // Opens the run that the address names: #run=3, #run=3&with=5, #run=3&with=input:style:1.
  function followAddress() {
    const address = new URLSearchParams(location.hash.slice(1));
    if (!address.has("run")) return;
    const number = indices.get(address.get("run"));
    const other = address.get("with");
    if (number === undefined) return announceUnknown(address.get("run"));
    document.getElementById("address-error").textContent = "";
    open(number);
    if (other === null) return;
    const value = comparisons.get(other);
    if (value === undefined) return announceUnknown(other);
    compareWith(value);
  }

  function announceUnknown(name) {
    const text = `The address names '${name}', which is not in this report.`;
    if (viewer.open) hint(text);
    else document.getElementById("address-error").textContent = text;
  }

  const KEYS = {
    ArrowLeft: () => show(current - 1),
    ArrowRight: () => show(current + 1),
    "+": () => stage.zoomBy(1.25),
    "=": () => stage.zoomBy(1.25),
    "-": () => stage.zoomBy(0.8),
    0: stage.showWhole,
    1: stage.showPixels,
    "[": () => stage.setWipe(stage.wipe - 5),
    "]": () => stage.setWipe(stage.wipe + 5),
  };
  const PANS = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
  const EVERYWHERE = { n: () => show(current + 1), p: () => show(current - 1) };
  const ZOOMS = { in: () => stage.zoomBy(1.25), out: () => stage.zoomBy(0.8), fit: stage.showWhole, pixels: stage.showPixels };

  viewer.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onStage = event.target === stageElement;
    const action =
      (onStage && event.shiftKey && PANS[event.key] && (() => stage.pan(...PANS[event.key]))) ||
      (onStage && KEYS[event.key]) ||
      (event.target.tagName !== "SELECT" && EVERYWHERE[event.key]);
    if (!action) return;
    event.preventDefault();
    action();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-open]");
    if (button) open(Number(button.dataset.open));
  });
  viewer.addEventListener("click", (event) => {
    const { step, zoom, keep, film, close } = event.target.dataset;
    if (step) show(current + Number(step));
    if (zoom) ZOOMS[zoom]();
    if (keep !== undefined) compareWith(`run:${current}`);
    if (film !== undefined) {
      filmPlays = !filmPlays;
      showPictures(runs[current]);
    }
    if (event.target === viewer || close !== undefined) viewer.close();
  });
  viewer.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.elements.wipe.addEventListener("input", (event) => stage.setWipe(Number(event.target.value)));
  chosen.addEventListener("change", () => compareWith(chosen.value));
  for (const option of tools.elements.mode) option.addEventListener("change", () => showPictures(runs[current]));
  part(".axes").addEventListener("submit", (event) => event.preventDefault());
  part(".axes").addEventListener("input", (event) => {
    const nearest = nearestRun(Number(event.target.dataset.axis), Number(event.target.value));
    show(nearest.index);
    if (nearest.unequal) hint("No run has this value together with all the others. The nearest run is shown.");
  });
  window.addEventListener("hashchange", followAddress);

  part(".axes").append(...axes.map(axisControl));
  followAddress();
})();
