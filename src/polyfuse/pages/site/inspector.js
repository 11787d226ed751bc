// Beside the stage of the viewer: pixel values under the pointer, the pair's numbers, a note.
"use strict";
(function (app) {
  class Inspector {
    /** @param {(slot: string) => void} choose - Called when a method's row is pressed. */
    constructor(choose) {
      this.choose = choose;
      this.values = app.el("div", { class: "values" });
      this.numbers = app.el("div", { class: "numbers" });
      this.remarks = app.el("ul", { class: "remarks" });
      this.text = app.el("textarea", { id: "note", rows: "3", placeholder: "What do you see?" });
      this.text.addEventListener("input", () => app.setNote(this.collection, this.pair, { text: this.text.value.trim() }));
      this.mark = app.el("input", { type: "checkbox", id: "mark" });
      this.mark.addEventListener("change", () => app.setNote(this.collection, this.pair, { marked: this.mark.checked }));
      this.element = app.el(
        "aside",
        { class: "inspector", id: "inspector", "aria-label": "Numbers and notes" },
        app.el("h3", {}, "Pixel values"),
        this.values,
        app.el("h3", {}, "Numbers of this pair"),
        this.numbers,
        this.remarks,
        app.el("h3", {}, app.el("label", { for: "note" }, "Note")),
        this.text,
        app.el("label", { class: "check" }, this.mark, "marked \u2605"),
        app.el(
          "div",
          { class: "buttons" },
          app.button("Notes as JSON", () => app.saveNotes("json"), { id: "notes-json", class: "quiet" }),
          app.button("as CSV", () => app.saveNotes("csv"), { id: "notes-csv", class: "quiet", "aria-label": "Notes as CSV" }),
        ),
      );
    }

    /** Show what is known of a pair. */
    show(collection, pair) {
      [this.collection, this.pair] = [collection, pair];
      const note = app.note(collection, pair);
      this.text.value = note.text;
      this.mark.checked = note.marked;
      this.numbers.replaceChildren(this.table(pair));
      const names = new Map(app.slotsOf(collection, pair).map(({ slot, name }) => [slot, name]));
      const remarks = Object.entries(pair.notes).map(([slot, text]) => `${names.get(slot)}: ${text}`);
      if (pair.apart !== null) remarks.push(`Disagreement of the methods: ${pair.apart.toFixed(1)} grey levels`);
      if (pair.note) remarks.push(pair.note);
      this.remarks.replaceChildren(...remarks.map((text) => app.el("li", {}, text)));
    }

    /** Methods down and metrics across, or the other way round where that is narrower. */
    table(pair) {
      const { metrics } = app.data;
      const slots = pair.fused;
      if (metrics.length === 0 || slots.length === 0) return app.el("p", { class: "hint" }, "This page has no scores.");
      const numbers = slots.map((slot) => pair.scores[slot.slice(1)] || metrics.map(() => null));
      const rows = slots.map((slot, row) => [app.methodOf(slot), ...numbers[row]]);
      const columns = [{ name: "method", better: "none", digits: null, note: "" }, ...metrics];
      if (slots.length < metrics.length) return this.turned(slots, columns, rows);
      return app.table({ columns, rows, caption: "", best: null, muted: [] }, (row) => this.choose(slots[row]));
    }

    turned(slots, columns, rows) {
      const all = slots.map((_, row) => row);
      const method = (slot) => app.button(app.methodOf(slot), () => this.choose(slot), { class: "link" });
      const head = app.el("tr", {}, app.el("th", {}, "metric"), slots.map((slot) => app.el("th", { scope: "col" }, method(slot))));
      const lines = columns.slice(1).map((column, c) => {
        const best = app.bestRows(rows, c + 1, column, all);
        const cells = all.map((row) => {
          const isBest = best.includes(row);
          const mark = isBest ? app.el("span", { class: "unseen" }, " (best)") : null;
          return app.el("td", { class: isBest ? "number best" : "number" }, app.text(rows[row][c + 1], column.digits), mark);
        });
        return app.el("tr", {}, app.el("th", { scope: "row", title: column.note || undefined }, app.heading(column)), cells);
      });
      const table = app.el("table", { class: "turned" }, app.el("thead", {}, head), app.el("tbody", {}, lines));
      return app.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "numbers of this pair" }, table);
    }

    /** The values of pictures at a pixel; null: the pointer is elsewhere. */
    point(x, y, pictures) {
      if (x === null || pictures.length === 0) {
        this.values.replaceChildren(app.el("p", { class: "hint" }, "Point at a picture."));
        return;
      }
      const rows = pictures.map(({ name, picture }) => {
        const [red, green, blue] = picture.pixel(x, y);
        const text = red === green && green === blue ? `${red}` : `${red} ${green} ${blue}`;
        const patch = app.el("span", { class: "patch" });
        patch.style.backgroundColor = `rgb(${red}, ${green}, ${blue})`;
        return app.el("li", {}, patch, app.el("span", { class: "name" }, name), app.el("span", { class: "number" }, text));
      });
      this.values.replaceChildren(app.el("p", { class: "place" }, `x ${x}, y ${y}`), app.el("ul", {}, rows));
    }
  }

  app.Inspector = Inspector;
})(window.polyfuse);
