// Draws the loss curves. The reader chooses the loss, the horizontal axis and the scale.
(() => {
  "use strict";
  const { curves } = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("curves");
  if (!place) return;
  const form = document.getElementById("curve-controls");
  const counters = ["step", "evaluations", "seconds"];
  const names = [...new Set(curves.flatMap((curve) => Object.keys(curve.columns)))].filter((name) => !counters.includes(name));
  const labels = { step: "steps", evaluations: "evaluations", seconds: "seconds of optimisation" };

  for (const name of names) form.elements.loss.add(new Option(name, name));

  function trace(curve, against, loss) {
    const y = curve.columns[loss] ?? [];
    return {
      x: curve.columns[against],
      y,
      name: curve.name,
      mode: y.filter((value) => value !== null).length < 2 ? "markers" : "lines",
      line: { color: curve.colour, dash: curve.dash, width: 1.75 },
      marker: { color: curve.colour },
      hovertemplate: `%{y:.4g} at %{x:.4g}<extra>${curve.name.replaceAll("<", "&lt;")}</extra>`,
    };
  }

  // Between one decade and four, label 1, 2 and 5. By default Plotly labels all nine digits, and the labels overlap.
  function ticks(loss, scale) {
    if (scale !== "log") return { exponentformat: "power" };
    const values = curves.flatMap((curve) => curve.columns[loss] ?? []).filter((value) => value > 0);
    const decades = Math.log10(Math.max(...values) / Math.min(...values));
    return { tickformat: "~g", ...(decades >= 1 && { dtick: decades < 4 ? "D2" : Math.ceil(decades / 8) }) };
  }

  function layout(against, loss, scale) {
    const style = getComputedStyle(place);
    const axis = { gridcolor: style.borderTopColor, zeroline: false, linecolor: style.borderTopColor, automargin: true };
    const narrow = place.clientWidth < 640;
    const legendHeight = curves.length > 1 ? 20 * curves.length + 8 : 0; // in a narrow window the legend is below the plot
    return {
      font: { family: style.fontFamily, size: 13, color: style.color },
      paper_bgcolor: "transparent",
      plot_bgcolor: "transparent",
      margin: { t: 12, r: 12, b: 48 + (narrow ? legendHeight : 0), l: 64 },
      height: narrow ? 340 + legendHeight : 440,
      showlegend: curves.length > 1,
      legend: narrow ? { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 } : {},
      hoverlabel: { namelength: -1 },
      xaxis: { ...axis, title: { text: labels[against] }, rangemode: "tozero" },
      yaxis: { ...axis, title: { text: loss }, type: scale, ...ticks(loss, scale) },
    };
  }

  function draw() {
    const { against, loss, scale } = Object.fromEntries(new FormData(form));
    const options = { displaylogo: false, displayModeBar: false, responsive: true };
    const traces = curves.map((curve) => trace(curve, against, loss));
    Plotly.react(place, traces, layout(against, loss, scale), options);
  }

  form.hidden = false;
  form.addEventListener("change", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("themechange", draw);
  draw();
})();
