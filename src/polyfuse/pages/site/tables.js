// Tables whose columns sort when their heading is pressed, with the best number of a column marked.
"use strict";
(function (app) {
  const ARROWS = { higher: "\u2191", lower: "\u2193", none: "" };

  app.heading = (column) => `${column.name} ${ARROWS[column.better]}`.trim();

  /** Numbers first in order, then texts, then what is missing; missing cells stay last in either direction. */
  app.compareCells = function (one, other, down) {
    const rank = (value) => (value === null || value === undefined ? 2 : typeof value === "number" ? 0 : 1);
    if (rank(one) !== rank(other)) return rank(one) - rank(other);
    if (rank(one) === 2) return 0;
    const order = typeof one === "number" ? one - other : app.natural(String(one), String(other));
    return down ? -order : order;
  };

  const collator = new Intl.Collator("en", { numeric: true });
  app.natural = (one, other) => collator.compare(one, other);

  /** The rows, among those given, with the best number of a column; numbers that are shown alike are marked alike. */
  app.bestRows = function (rows, number, column, among) {
    if (column.better === "none") return [];
    const numbers = among.filter((row) => typeof rows[row][number] === "number");
    if (numbers.length < 2) return [];
    const values = numbers.map((row) => rows[row][number]);
    const best = column.better === "higher" ? Math.max(...values) : Math.min(...values);
    return numbers.filter((row) => app.text(rows[row][number], column.digits) === app.text(best, column.digits));
  };

  /**
   * A table element.
   * @param table - columns {name, better, digits, note}, rows of cells, caption, best and muted: numbers of rows.
   * @param pressed - Where given, each row's first cell is a button that calls it with the row's number.
   */
  app.table = function (table, pressed) {
    const all = table.rows.map((_, row) => row);
    const best = table.columns.map((column, c) =>
      app.bestRows(table.rows, c, column, table.best === null ? all : table.best),
    );
    const isOfNumbers = table.columns.map((_, c) => table.rows.some((row) => typeof row[c] === "number"));
    const body = app.el("tbody", {});
    let [sorted, down] = [null, false];
    const headings = table.columns.map((column, c) => {
      const text = app.heading(column);
      const sort = () => {
        // Best first at the first press.
        down = sorted === c ? !down : column.better === "higher";
        sorted = c;
        headings.forEach((heading) => heading.removeAttribute("aria-sort"));
        headings[c].setAttribute("aria-sort", down ? "descending" : "ascending");
        fill();
      };
      const button = app.button(text, sort, { class: "sort", title: column.note || undefined });
      return app.el("th", { scope: "col", class: isOfNumbers[c] ? "number" : undefined }, button);
    });
    function rowOf(row) {
      return app.el(
        "tr",
        { class: table.muted.includes(row) ? "muted" : undefined },
        table.rows[row].map((cell, c) => {
          const text = app.text(cell, table.columns[c].digits);
          if (c === 0) {
            return app.el("th", { scope: "row" }, pressed ? app.button(text, () => pressed(row), { class: "link" }) : text);
          }
          const isBest = best[c].includes(row);
          const attributes = { class: `${isOfNumbers[c] ? "number" : ""}${isBest ? " best" : ""}` };
          return app.el("td", attributes, text, isBest ? app.el("span", { class: "unseen" }, " (best)") : null);
        }),
      );
    }
    function fill() {
      const order = all.slice();
      if (sorted !== null) {
        order.sort((i, j) => app.compareCells(table.rows[i][sorted], table.rows[j][sorted], down) || i - j);
      }
      body.replaceChildren(...order.map(rowOf));
    }
    fill();
    const caption = table.caption ? app.el("caption", {}, app.el("span", {}, table.caption)) : null;
    const element = app.el("table", {}, caption, app.el("thead", {}, app.el("tr", {}, headings)), body);
    return app.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.caption || "table" }, element);
  };

  /** The rows of a table for a file. */
  app.tableRows = (table) => [table.columns.map((column) => column.name), ...table.rows];
})(window.polyfuse);
