// Draws the loss curves. The reader chooses the loss, the horizontal axis, the scale, and the parameter that each feature of
// a curve shows.
(() => {
  "use strict";
  const { axes } = plots.data;
  const place = document.getElementById("curves");
  if (!place) return;
  const curves = JSON.parse(document.getElementById("curve-data").textContent);
  const bands = JSON.parse(document.getElementById("band-data").textContent);
  const curveOfRun = new Map(curves.map((curve) => [curve.run, curve]));
  const form = document.getElementById("curve-controls");
  const counters = ["step", "evaluations", "seconds"];
  const names = [...new Set(curves.flatMap((curve) => Object.keys(curve.columns)))].filter((name) => !counters.includes(name));
  const labels = { step: "steps", evaluations: "evaluations", seconds: "seconds of optimisation" };
  const words = { colour: "Colour", dash: "Dashes", symbol: "Symbols", width: "Width" };
  const MARKED_POINTS = 8;

  for (const name of names) form.elements.loss.add(new Option(name, name));

  // One trace for all curves of a style, with gaps between them: a thousand traces of their own would take seconds.
  function trace({ name, runs, style }, against, loss) {
    const [x, y, text] = [[], [], []];
    let single = true;
    for (const run of runs) {
      const curve = curveOfRun.get(run);
      const values = curve.columns[loss] ?? [];
      single &&= values.filter((value) => value !== null).length < 2;
      if (x.length) [x, y, text].forEach((list) => list.push(null));
      for (const [index, value] of values.entries()) {
        x.push(curve.columns[against][index]);
        y.push(value);
        text.push(plots.escapeMarkup(curve.name));
      }
    }
    return {
      x,
      y,
      text,
      name: plots.escapeMarkup(name),
      mode: single ? "markers" : style.symbol ? "lines+markers" : "lines",
      line: { color: style.colour, dash: style.dash, width: style.width },
      marker: { color: style.colour, symbol: style.symbol || "circle", size: 7, ...(style.symbol && { maxdisplayed: MARKED_POINTS * runs.length }) },
      hovertemplate: "%{y:.4g} at %{x:.4g}<extra>%{text}</extra>",
    };
  }

  // The mean of runs that differ in their seeds alone, and a band of one standard deviation on each side. On a logarithmic
  // axis, a hundredth of the mean is the lowest edge.
  function bandTraces(band, against, loss) {
    const { style } = plots.groups(band.runs.slice(0, 1), plots.FEATURES, true)[0];
    const [x, mean, deviation] = [band.columns[against], band.columns[loss] ?? [], band.deviations[loss] ?? []];
    const name = plots.escapeMarkup(band.name);
    const edge = (values) => ({ x, y: values, mode: "lines", line: { width: 0 }, showlegend: false, hoverinfo: "skip", legendgroup: name });
    return [
      edge(mean.map((value, index) => value && Math.max(value - deviation[index], value / 100))),
      { ...edge(mean.map((value, index) => value && value + deviation[index])), fill: "tonexty", fillcolor: `${style.colour}33` },
      {
        ...edge(mean),
        name,
        line: { color: style.colour, dash: style.dash, width: style.width },
        showlegend: true,
        hoverinfo: undefined,
        customdata: deviation,
        hovertemplate: `%{y:.4g} ± %{customdata:.2g} at %{x:.4g}<extra>${name}, ${band.runs.length} seeds</extra>`,
      },
    ];
  }

  function draw() {
    if (typeof Plotly === "undefined") return; // a choice before the plot came near the window
    const { against, loss, scale } = Object.fromEntries(new FormData(form));
    const shownBands = form.elements.bands?.checked ? bands : [];
    const inBands = new Set(shownBands.flatMap((band) => band.runs));
    const alone = curves.map((curve) => curve.run).filter((run) => !inBands.has(run));
    const groups = plots.groups(alone, plots.FEATURES, true);
    const { axis, layout } = plots.layout(place, groups.length + shownBands.length);
    const values = scale === "log" ? curves.flatMap((curve) => curve.columns[loss] ?? []) : [];
    layout.xaxis = { ...axis, title: { text: labels[against] }, rangemode: "tozero" };
    layout.yaxis = { ...axis, title: { text: loss }, ...plots.ticks(values, scale === "log") };
    document.getElementById("curve-note").textContent = axes.length > 1 ? plots.describe(words) : "";
    const traces = [...shownBands.flatMap((band) => bandTraces(band, against, loss)), ...groups.map((group) => trace(group, against, loss))];
    Plotly.react(place, traces, layout, plots.options);
  }

  function showChoices() {
    for (const feature of plots.FEATURES) if (form.elements[feature]) form.elements[feature].value = plots.chosen[feature] ?? "";
  }

  for (const feature of plots.FEATURES) {
    const select = form.elements[feature];
    if (!select) continue;
    select.add(new Option("–", ""));
    for (const [axis, { title }] of axes.entries()) if (plots.fits(feature, axis)) select.add(new Option(title, axis));
    select.addEventListener("change", (event) => {
      event.stopPropagation();
      plots.choose(feature, select.value === "" ? null : Number(select.value));
    });
  }
  showChoices();
  document.addEventListener("featureschange", showChoices);

  form.hidden = false;
  form.addEventListener("change", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  plots.drawWhenNear(place, draw);
})();
