// The sections of a report: text, tables, charts, commands.
"use strict";
(function (app) {
  /** Paragraphs and lists of a plain text. */
  function prose(item) {
    return item.text.split(/\n\s*\n/).map((block) => {
      const lines = block.split("\n");
      if (lines.every((line) => line.startsWith("- "))) {
        return app.el("ul", {}, lines.map((line) => app.el("li", {}, line.slice(2))));
      }
      return app.el("p", {}, block);
    });
  }

  function table(item) {
    const save = app.button("Save as CSV", () => app.saveCsv("table.csv", app.tableRows(item)), { class: "quiet" });
    return app.el("div", { class: "item" }, app.table(item), save);
  }

  function chart(item) {
    const image = app.el("img", { src: item.address, alt: item.alt });
    return app.el("figure", {}, image, item.caption ? app.el("figcaption", {}, item.caption) : null);
  }

  function command(item) {
    const text = app.el("pre", { tabindex: "0" }, app.el("code", {}, item.text));
    const copy = app.button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(item.text);
        app.announce("Copied.");
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text); // where the page may not write to the clipboard
      }
    });
    const caption = item.caption ? app.el("p", {}, item.caption) : null;
    return app.el("div", { class: "item" }, caption, app.el("div", { class: "command" }, text, copy));
  }

  const makers = { prose, table, chart, command };

  app.sections = function () {
    return app.data.sections.map((section, number) =>
      app.el(
        "section",
        { id: `section-${number}`, class: "report" },
        app.el("h2", {}, section.title),
        section.items.map((item) => makers[item.kind](item)),
      ),
    );
  };
})(window.polyfuse);
