// What the plots share: the data of the page, Plotly, which is started when the first plot comes near the window, and the
// styles of the runs.
const plots = (() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const { axes, runs, styles } = data;
  const FEATURES = ["colour", "dash", "symbol", "width"];
  const MOST_IN_LEGEND = 24;
  const chosen = { ...styles.axes }; // index of the axis by feature

  function startPlotly() {
    if (typeof Plotly !== "undefined") return;
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    document.head.append(script);
  }

  // Calls a function once, when the element comes near the window, and then at each change of the theme.
  function drawWhenNear(element, draw) {
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        startPlotly();
        draw();
        document.addEventListener("themechange", draw);
        document.addEventListener("featureschange", draw);
      },
      { rootMargin: "400px" },
    );
    observer.observe(element);
  }

  // Values of a feature: those of colours depend on the axis.
  const valuesOf = (feature, axis) => (feature === "colour" ? styles.axisColours[axis] : styles[`${feature}Values`]);

  // Whether an axis can decide on a feature: the feature needs a value for each value of the axis.
  const fits = (feature, axis) => axes[axis].values.length <= valuesOf(feature, axis).length;

  function featureOf(run, feature) {
    const axis = chosen[feature];
    if (axis !== undefined) return valuesOf(feature, axis)[runs[run].point[axis]];
    if (feature === "symbol") return "";
    const { runColours, dashValues } = styles;
    if (feature === "colour") return runColours[axes.length ? 0 : run % runColours.length];
    if (feature === "dash" && !axes.length) return dashValues[Math.floor(run / runColours.length) % dashValues.length];
    return styles[`${feature}Values`][0];
  }

  const styleOf = (run) => Object.fromEntries(FEATURES.map((feature) => [feature, featureOf(run, feature)]));

  // Lets an axis decide on a feature. An axis has one feature at a time.
  function choose(feature, axis) {
    for (const other of FEATURES) if (chosen[other] === axis) delete chosen[other];
    if (axis === null) delete chosen[feature];
    else chosen[feature] = axis;
    document.dispatchEvent(new Event("featureschange"));
  }

  // The axes that decide on some features, as words: "Colour: style.weight. Dashes: optimizer."
  function describe(words) {
    const parts = Object.entries(words).filter(([feature]) => chosen[feature] !== undefined);
    const shown = new Set(parts.map(([feature]) => chosen[feature]));
    const hidden = axes.filter((_, axis) => !shown.has(axis)).map(({ title }) => title);
    const sentences = parts.map(([feature, word]) => `${word}: ${axes[chosen[feature]].title}.`);
    return [...sentences, ...(hidden.length ? [`Without a feature: ${hidden.join(", ")}.`] : [])].join(" ");
  }

  // Runs with the same style, with the values that they share as a name. With `apart`, a few runs are each a group with
  // their own name.
  function groups(numbers, features, apart) {
    if (apart && numbers.length <= MOST_IN_LEGEND) return numbers.map((run) => ({ name: runs[run].name, runs: [run], style: styleOf(run) }));
    const used = features.filter((feature) => chosen[feature] !== undefined);
    const found = new Map();
    for (const run of numbers) {
      const style = styleOf(run);
      const key = features.map((feature) => style[feature]).join();
      if (!found.has(key)) {
        const values = used.map((feature) => `${axes[chosen[feature]].title}=${axes[chosen[feature]].values[runs[run].point[chosen[feature]]]}`);
        found.set(key, { name: values.join(", "), runs: [], style });
      }
      found.get(key).runs.push(run);
    }
    return [...found.values()];
  }

  // Layout of a plot in the colours of the page. In a narrow window, the legend is below the plot.
  function layout(place, entries, height = 440) {
    const style = getComputedStyle(place);
    const axis = { gridcolor: style.borderTopColor, zeroline: false, linecolor: style.borderTopColor, automargin: true };
    const narrow = place.clientWidth < 640;
    const named = entries > 1 && entries <= MOST_IN_LEGEND;
    const legendHeight = named ? 20 * entries + 8 : 0;
    return {
      axis,
      layout: {
        font: { family: style.fontFamily, size: 13, color: style.color },
        paper_bgcolor: "transparent",
        plot_bgcolor: "transparent",
        margin: { t: 12, r: 12, b: 48 + (narrow ? legendHeight : 0), l: 64 },
        height: narrow ? height - 100 + legendHeight : height,
        showlegend: named,
        legend: narrow ? { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 } : {},
        hoverlabel: { namelength: -1 },
        hovermode: "closest",
      },
    };
  }

  // Between one decade and four, label 1, 2 and 5. By default Plotly labels all nine digits, and the labels overlap.
  function ticks(values, logarithmic) {
    if (!logarithmic) return { type: "linear", exponentformat: "power" };
    let [lowest, highest] = [Infinity, 0];
    for (const value of values) {
      if (!(value > 0)) continue;
      lowest = Math.min(lowest, value);
      highest = Math.max(highest, value);
    }
    const decades = Math.log10(highest / lowest);
    return { type: "log", tickformat: "~g", ...(decades >= 1 && { dtick: decades < 4 ? "D2" : Math.ceil(decades / 8) }) };
  }

  const options = { displaylogo: false, displayModeBar: false, responsive: true };
  const escapeMarkup = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return { data, FEATURES, chosen, choose, fits, describe, groups, layout, ticks, options, drawWhenNear, escapeMarkup };
})();
