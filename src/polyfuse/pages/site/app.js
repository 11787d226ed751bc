// The page put together: heading, contents, report, grid, viewer, blind test and help.
"use strict";
(function (app) {
  const KEYS = [
    ["s w b f d", "side by side, wipe, blend, flicker, difference"],
    ["n p", "next and previous pair"],
    ["[ ]", "previous and next picture on the right"],
    ["x", "exchange left and right"],
    ["l c", "LOST map, contribution map, where there are some"],
    ["+ \u2212 0 1", "zoom in, zoom out, fit, one to one"],
    ["arrows", "move the picture; the edge of the wipe where that has the focus"],
    ["space", "flicker: pause, then one change for each press"],
    ["i", "numbers and notes on and off"],
    ["Esc", "close"],
    ["?", "this list"],
  ];

  const HELP =
    "Wheel or two fingers zoom, dragging moves, a double click fits or enlarges. In the grid, / goes to the search.";

  function contents(sections, hasPictures) {
    const links = app.data.sections.map((section, number) => [section.title, `section-${number}`]);
    if (hasPictures) links.push(["Pictures", "pictures"]);
    if (links.length < 2) return null;
    const link = ([text, target]) =>
      app.el("a", { href: `#${target}` }, text);
    return app.el("nav", { "aria-label": "Contents" }, links.map(link));
  }

  app.start = function () {
    const { data } = app;
    const root = document.getElementById("root");
    if (!data) {
      root.append(app.missing());
      return;
    }
    const numPairs = data.collections.reduce((sum, one) => sum + one.pairs.length, 0);
    const help = app.helpDialog("Keys of the viewer", KEYS, HELP);
    app.help = () => help.showModal();
    const buttons = [app.themeButton()];
    if (numPairs > 0) {
      app.viewer = new app.Viewer();
      app.grid = new app.Grid();
      buttons.unshift(app.button("Keys", app.help, { "aria-label": "Keyboard help" }));
      if (data.methods.length > 1) {
        app.blind = new app.BlindTest();
        buttons.unshift(app.button("Blind test", () => app.blind.open(), { id: "blind", class: "primary" }));
      }
    }
    const sections = app.sections();
    root.append(
      app.el("a", { class: "skip", href: "#main" }, "Skip to the content"),
      app.el(
        "header",
        { class: "top" },
        app.el("div", {}, app.el("h1", {}, data.title), data.subtitle ? app.el("p", {}, data.subtitle) : null),
        app.el("div", { class: "buttons" }, buttons),
      ),
      contents(sections, numPairs > 0) || "",
      app.el("main", { id: "main", tabindex: "-1" }, sections, numPairs > 0 ? app.grid.element : null),
      app.el("footer", { class: "end" }, `${data.generator}. This page loads nothing from elsewhere.`),
      ...[app.viewer, app.blind].filter(Boolean).map((part) => part.element),
      help,
    );
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || app.isTyping(event) || document.querySelector("dialog[open]") || !app.grid) return;
      event.preventDefault();
      document.getElementById("search").focus();
    });
  };

  app.start();
})(window.polyfuse);
