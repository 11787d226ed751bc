// What stands around every page: the theme, the keyboard help, a word where the data are missing.
"use strict";
(function (app) {
  const THEMES = ["auto", "light", "dark"];

  /** The button that goes through the themes; this browser remembers which. */
  app.themeButton = function () {
    let theme = app.recall("theme", "auto");
    const button = app.button("", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      app.remember("theme", theme);
      apply();
    }, { id: "theme" });
    function apply() {
      if (theme === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
      button.textContent = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[theme];
    }
    apply();
    return button;
  };

  /** A dialog of keys: rows are [keys with spaces between, what they do]. */
  app.helpDialog = function (title, keys, text) {
    const rows = keys.map(([names, what]) =>
      app.el("div", {}, app.el("dt", {}, names.split(" ").map((key) => app.el("kbd", {}, key))), app.el("dd", {}, what)),
    );
    const dialog = app.el(
      "dialog",
      { class: "help", "aria-label": "Keyboard help", id: "help" },
      app.el("h2", {}, title),
      app.el("dl", {}, rows),
      app.el("p", {}, text),
      app.button("Close", () => dialog.close(), { class: "primary" }),
    );
    return dialog;
  };

  app.missing = () =>
    app.el("p", { class: "problem" }, "The folder files-\u2026 beside this page is missing: copy it along with index.html.");
})(window.polyfuse);
