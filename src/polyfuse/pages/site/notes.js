// Notes on pairs: kept by the browser under the page's id, saved as JSON or CSV.
"use strict";
(function (app) {
  let notes = null; // by collection and pair: {text, marked}

  function all() {
    if (notes === null) notes = app.recall(`notes ${app.data.id}`, {});
    return notes;
  }

  const key = (collection, pair) => JSON.stringify([collection.name, pair.name]);

  app.note = (collection, pair) => all()[key(collection, pair)] || { text: "", marked: false };

  app.setNote = function (collection, pair, change) {
    const note = { ...app.note(collection, pair), ...change };
    if (note.text || note.marked) all()[key(collection, pair)] = note;
    else delete all()[key(collection, pair)];
    app.remember(`notes ${app.data.id}`, notes);
  };

  app.hasNotes = () => Object.keys(all()).length > 0;

  function entries() {
    return Object.entries(all()).map(([names, note]) => {
      const [collection, pair] = JSON.parse(names);
      return { collection, pair, marked: note.marked, note: note.text };
    });
  }

  app.saveNotes = function (kind) {
    if (kind === "csv") {
      const rows = entries().map((entry) => [entry.collection, entry.pair, entry.marked ? "yes" : "", entry.note]);
      app.saveCsv("notes.csv", [["collection", "pair", "marked", "note"], ...rows]);
    } else {
      app.saveJson("notes.json", { format: "polyfuse-notes", schema: 1, page: app.data.title, notes: entries() });
    }
  };
})(window.polyfuse);
