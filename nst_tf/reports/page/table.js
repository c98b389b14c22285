// Sorts the table by a column when its heading is pressed: first ascending, then descending. Empty cells stay last. Shows
// the columns that are equal in all runs on request.
(() => {
  "use strict";
  const table = document.querySelector("table.values");
  const announcement = document.getElementById("sorted");
  const allColumns = document.getElementById("all-columns");
  const sortKey = (row, column) => row.cells[column].dataset.key;

  function compare(a, b) {
    if (a === "" || b === "") return (a === "") - (b === "");
    const difference = Number(a) - Number(b);
    return Number.isNaN(difference) ? a.localeCompare(b, undefined, { numeric: true }) : difference;
  }

  function sort(heading, column, descending) {
    const sign = descending ? -1 : 1;
    const rows = [...table.tBodies[0].rows].map((row) => [sortKey(row, column), row]);
    rows.sort(([a], [b]) => (a === "" || b === "" ? compare(a, b) : sign * compare(a, b)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
    for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    announcement.textContent = `Sorted by ${heading.textContent.trim()}, ${descending ? "highest" : "lowest"} first`;
  }

  function showColumns() {
    table.classList.toggle("all", allColumns.checked);
    for (const group of table.tHead.rows[0].cells) {
      group.colSpan = Number(allColumns.checked ? group.dataset.all : group.dataset.shown) || 1;
    }
  }

  for (const button of table.querySelectorAll("[data-sort]")) {
    const heading = button.closest("th");
    const column = Number(button.dataset.sort);
    button.addEventListener("click", () => sort(heading, column, heading.getAttribute("aria-sort") === "ascending"));
  }
  if (allColumns) {
    allColumns.closest("label").hidden = false;
    allColumns.addEventListener("change", showColumns);
  }
})();
