// Draws the runs by two measures that the reader chooses, with their Pareto front and a picture of the run under the
// pointer. A limit on the first measure names the best run that keeps it.
(() => {
  "use strict";
  const { measures, runs, styles, succeeded, tradeoff } = plots.data;
  const section = document.getElementById("tradeoff");
  if (!section) return;
  const form = document.getElementById("tradeoff-controls");
  const place = document.getElementById("tradeoff-plot");
  const card = document.getElementById("tradeoff-card");
  const { x: across, y: up, logx, logy, limit } = form.elements;
  const MOST_IN_LIST = 60;
  const SIZES = [9, 13, 6, 17, 5, 21, 4, 25]; // of points, by the values of an axis
  const text = (value) => String(Number(value.toPrecision(4)));
  const wordOf = { lowest: "at most", highest: "at least" };

  const present = () => [measures[across.value], measures[up.value]];
  const valueOf = (measure, run) => measure.values[run];
  const costOf = (measure, run) => (measure.better === "highest" ? -1 : 1) * measure.values[run];
  const keepsLimit = (measure, run) => limit.value === "" || costOf(measure, run) <= (measure.better === "highest" ? -1 : 1) * Number(limit.value);

  // Runs for which no other run is at least as good in both measures and better in one, in the order of the first measure.
  function front(first, second, numbers) {
    if (!first.better || !second.better || first === second) return [];
    const sorted = numbers
      .filter((run) => succeeded[run])
      .sort((a, b) => costOf(first, a) - costOf(first, b) || costOf(second, a) - costOf(second, b));
    const found = [];
    for (const run of sorted) {
      const last = found.at(-1);
      const equals = last !== undefined && costOf(first, run) === costOf(first, last) && costOf(second, run) === costOf(second, last);
      if (last === undefined || equals || costOf(second, run) < costOf(second, last)) found.push(run);
    }
    return found;
  }

  function bestWithin(first, second, numbers) {
    const allowed = numbers.filter((run) => succeeded[run] && keepsLimit(first, run));
    return allowed.reduce((best, run) => (best === undefined || costOf(second, run) < costOf(second, best) ? run : best), undefined);
  }

  const nameOf = (run) => (runs[run].name === `run ${runs[run].label}` ? runs[run].name : `run ${runs[run].label} (${runs[run].name})`);

  function words(first, second, numbers, found) {
    const open = [first, second].filter((measure) => !measure.better).map(({ name }) => name);
    if (first === second) return "Choose two different measures.";
    if (open.length) return `There is no front: of ${open.join(" and of ")}, no end is the best one for these runs.`;
    const total = numbers.filter((run) => succeeded[run]).length;
    const shown = found.length > MOST_IN_LIST ? ` The list has the first ${MOST_IN_LIST}.` : "";
    const sentence = `${found.length} of ${total} runs are on the Pareto front: no other run is better in ${first.name} or ${second.name} without being worse in the other.${shown}`;
    if (limit.value === "") return sentence;
    const best = bestWithin(first, second, numbers);
    const bound = `a ${first.name} of ${wordOf[first.better]} ${limit.value}`;
    return best === undefined
      ? `${sentence} No run has ${bound}.`
      : `${sentence} With ${bound}, ${nameOf(best)} has the ${second.better} ${second.name}: ${text(valueOf(second, best))}.`;
  }

  function point({ name, runs: numbers, style }, first, second) {
    return {
      type: "scatter",
      mode: "markers",
      name: plots.escapeMarkup(name),
      x: numbers.map((run) => valueOf(first, run)),
      y: numbers.map((run) => valueOf(second, run)),
      customdata: numbers,
      marker: { color: style.colour, ...shapeOf(style), opacity: numbers.map((run) => (keepsLimit(first, run) ? 1 : 0.25)) },
      hoverinfo: "none",
    };
  }

  // A point has no dashes: the axis of the dashes decides on its symbol, and the axis of the symbols on its size.
  function shapeOf({ dash, symbol }) {
    if (plots.data.axes.length && plots.chosen.dash === undefined) return { symbol: symbol || "circle", size: SIZES[0] };
    return { symbol: styles.symbolValues[styles.dashValues.indexOf(dash)], size: SIZES[Math.max(0, styles.symbolValues.indexOf(symbol))] };
  }

  const featuresInWords = () => ({ colour: "Colour", dash: "Symbols", symbol: plots.chosen.dash === undefined ? "Symbols" : "Size" });

  function lineOf(found, first, second, colour) {
    return {
      type: "scatter",
      mode: "lines+markers",
      x: found.map((run) => valueOf(first, run)),
      y: found.map((run) => valueOf(second, run)),
      line: { color: colour, width: 1, dash: "dot" },
      marker: { color: "transparent", size: 16, symbol: "circle", line: { color: colour, width: 1.5 } },
      name: "Pareto front",
      hoverinfo: "skip",
    };
  }

  function listItem(run, first, second, best) {
    const picture = runs[run].thumbnail
      ? element("img", { src: runs[run].thumbnail, alt: `${runs[run].alt}. Enlarge`, width: runs[run].width, height: runs[run].height, loading: "lazy" })
      : element("span", { className: "none" }, "no picture");
    const button = element("button", { type: "button" }, picture);
    button.dataset.open = run;
    button.setAttribute("aria-haspopup", "dialog");
    const values = `${first.name} ${text(valueOf(first, run))}, ${second.name} ${text(valueOf(second, run))}`;
    const mark = run === best ? [element("span", { className: "tag best" }, "best within the limit")] : [];
    const caption = element("figcaption", {}, element("span", { className: "name" }, runs[run].name), ...mark, element("span", {}, values));
    return element("li", { className: keepsLimit(first, run) ? "" : "outside" }, element("figure", { className: run === best ? "tile is-chosen" : "tile" }, button, caption));
  }

  // Lists the runs of the front, unless the list is the same, so that a button in it keeps the focus.
  function showFront(found, first, second, best) {
    const list = document.getElementById("tradeoff-front");
    const key = JSON.stringify([found, first.name, second.name, limit.value]);
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...found.slice(0, MOST_IN_LIST).map((run) => listItem(run, first, second, best)));
  }

  function draw() {
    const [first, second] = present();
    const numbers = runs.map((_, run) => run).filter((run) => valueOf(first, run) !== null && valueOf(second, run) !== null);
    const found = front(first, second, numbers);
    const best = limit.value === "" || !found.length ? undefined : bestWithin(first, second, numbers);
    document.getElementById("tradeoff-words").textContent =
      `${words(first, second, numbers, found)} ${plots.data.axes.length > 1 ? plots.describe(featuresInWords()) : ""}`;
    form.querySelector(".limit").hidden = !found.length;
    form.querySelector(".limit span").textContent = `${first.name} ${wordOf[first.better] ?? ""}`;
    showFront(found, first, second, best);
    if (typeof Plotly === "undefined") return;
    const groups = plots.groups(numbers, ["colour", "dash", "symbol"], !plots.data.axes.length);
    const { axis, layout } = plots.layout(place, groups.length + 1);
    layout.xaxis = { ...axis, title: { text: first.name }, ...plots.ticks(first.values, logx.checked) };
    layout.yaxis = { ...axis, title: { text: second.name }, ...plots.ticks(second.values, logy.checked) };
    if (found.length && limit.value !== "") {
      const at = Number(limit.value);
      layout.shapes = [{ type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { color: axis.linecolor, width: 2 } }];
    }
    const traces = groups.map((group) => point(group, first, second));
    if (found.length) traces.push(lineOf(found, first, second, layout.font.color));
    Plotly.react(place, traces, layout, plots.options);
  }

  function showCard({ points, event }) {
    const run = points[0].customdata;
    const [first, second] = present();
    const { thumbnail, width, height } = runs[run];
    const picture = thumbnail ? [element("img", { src: thumbnail, alt: "", width, height })] : [];
    card.replaceChildren(...picture, `${nameOf(run)}: ${first.name} ${text(valueOf(first, run))}, ${second.name} ${text(valueOf(second, run))}`);
    card.hidden = false;
    const box = place.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    card.style.left = `${left > box.width / 2 ? left - card.offsetWidth - 16 : left + 16}px`;
    card.style.top = `${Math.max(0, Math.min(top - card.offsetHeight / 2, box.height - card.offsetHeight))}px`;
  }

  function begin() {
    draw();
    place.on("plotly_hover", showCard);
    place.on("plotly_unhover", () => (card.hidden = true));
    place.on("plotly_click", ({ points }) => document.querySelector(`table.values [data-open="${points[0].customdata}"]`).click());
  }

  for (const select of [across, up]) {
    for (const [index, { name, group }] of measures.entries()) {
      let options = [...select.children].find((child) => child.label === group);
      if (!options) select.append((options = element("optgroup", { label: group })));
      options.append(new Option(name, index));
    }
  }
  [across.value, up.value] = tradeoff;
  across.addEventListener("change", () => (limit.value = "")); // a limit of another measure says nothing
  form.addEventListener("input", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  section.hidden = false;
  draw();
  let begun = false;
  plots.drawWhenNear(place, () => (begun ? draw() : ((begun = true), begin())));
})();
