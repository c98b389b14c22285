// Arranges the pictures in rows and columns by the two parameters that the reader chooses. The other parameters divide the
// pictures into one table for each combination of their values.
(() => {
  "use strict";
  const { axes, layout, runs } = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("sheet-controls");
  if (!form) return;
  const place = document.getElementById("sheets");
  const tiles = runs.map((run, index) => document.getElementById(`run-${index}`));
  const { rows, columns } = form.elements;
  const NONE = -1;

  const valuesOf = (axis) => (axis === NONE ? [""] : axes[axis].values);
  const placeOf = (run, axis) => (axis === NONE ? 0 : run.point[axis]);
  const titleOf = (axis) => (axis === NONE ? "" : axes[axis].title);

  function groupBy(items, keyOf) {
    const groups = new Map();
    for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
    return groups;
  }

  // Combinations of the other axes' values with their runs. Where most runs would be alone in a table, as after a random
  // search, all runs share one table, and each picture has its name.
  function facets(outer) {
    const numbers = runs.map((run, index) => index);
    const compare = (a, b) => outer.reduce((sign, axis) => sign || runs[a].point[axis] - runs[b].point[axis], 0);
    const groups = groupBy([...numbers].sort(compare), (index) => outer.map((axis) => runs[index].point[axis]).join());
    return groups.size > 1 && groups.size > runs.length / 2 ? { named: true, groups: [numbers] } : { named: false, groups: [...groups.values()] };
  }

  function table(numbers, outer, named) {
    const [row, column] = [Number(rows.value), Number(columns.value)];
    const cells = groupBy(numbers, (index) => `${placeOf(runs[index], row)},${placeOf(runs[index], column)}`);
    const span = valuesOf(column).length;
    const heading = named ? "" : outer.map((axis) => `${axes[axis].title}=${axes[axis].values[runs[numbers[0]].point[axis]]}`).join(", ");
    const head = element(
      "thead",
      {},
      element("tr", {}, element("td", {}), element("th", { class: "axis", scope: "colgroup", colspan: span }, titleOf(column))),
      element(
        "tr",
        {},
        element("th", { class: "axis", scope: "col" }, titleOf(row)),
        ...valuesOf(column).map((value) => element("th", { scope: "col" }, value)),
      ),
    );
    const body = valuesOf(row).map((value, y) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, value),
        ...valuesOf(column).map((_, x) => element("td", {}, ...(cells.get(`${y},${x}`) ?? []).map((index) => tiles[index]))),
      ),
    );
    const result = element("table", { class: named ? "sheet named" : "sheet", style: `--columns: ${span}` });
    if (heading) result.append(element("caption", {}, heading));
    result.append(head, element("tbody", {}, ...body));
    const label = `Contact sheet${heading && `: ${heading}`}`;
    return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, result);
  }

  function arrange() {
    const used = [Number(rows.value), Number(columns.value)];
    if (used.every((axis) => axis === NONE)) return place.replaceChildren(element("div", { class: "flow" }, ...tiles));
    const outer = axes.map((_, index) => index).filter((index) => !used.includes(index));
    const { named, groups } = facets(outer);
    place.replaceChildren(...groups.map((numbers) => table(numbers, outer, named)));
  }

  for (const [select, axis] of [[rows, layout[0]], [columns, layout[1]]]) {
    select.append(new Option("–", NONE), ...axes.map(({ title }, index) => new Option(title, index)));
    select.value = axis ?? NONE;
    select.dataset.last = select.value;
    select.addEventListener("change", () => {
      const other = select === rows ? columns : rows;
      if (select.value === other.value && Number(select.value) !== NONE) other.value = select.dataset.last; // exchange the two
      for (const either of [rows, columns]) either.dataset.last = either.value;
      arrange();
    });
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
})();
