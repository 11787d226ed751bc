// The page of volumes: three planes that share one cross-hair, which two volumes are wiped, values, keys.
"use strict";
(function (app) {
  const KEYS = [
    ["arrows", "move the cross-hair in the plane that was last used; Shift for ten voxels"],
    ["PgUp PgDn", "previous and next slice of that plane; Home and End for the first and the last"],
    [", .", "wipe to the left and to the right"],
    ["x", "exchange left and right"],
    ["[ ]", "previous and next volume on the right"],
    ["1 2 3 0", "one plane alone, all planes"],
    ["c s", "cross-hair, smooth voxels on and off"],
    ["?", "this list"],
  ];
  const HELP = "The wheel scrolls through slices; a click moves the cross-hair. Values are of 8 bits: as exact as a 255th of the window, and no more than its ends beyond it.";
  const DIRECTIONS = [["left", "right"], ["posterior", "anterior"], ["inferior", "superior"]];

  class VolumePage {
    constructor(data) {
      this.shape = data.grid.shape;
      this.spacing = data.grid.spacing;
      this.affine = data.grid.affine;
      this.volumes = data.volumes.map((facts) => new app.Voxels(facts, this.shape));
      const last = this.volumes.length - 1;
      this.state = { left: last > 1 ? 1 : 0, right: last, wipe: 0.5, only: 0, isSmooth: false, hasCross: true };
      this.cross = this.shape.map((side) => Math.floor(side / 2));
      this.views = app.PLANES.map((plane) => new app.PlaneView(plane, this));
      this.active = this.views[0];
      this.build(data);
      this.set({});
      this.load();
    }

    left() {
      return this.volumes[this.state.left];
    }

    right() {
      return this.volumes[this.state.right];
    }

    build(data) {
      const options = this.volumes.map((volume, number) => [number, volume.name]);
      const choose = (side) => (value) => this.set({ [side]: Number(value) });
      const field = (text, control) => app.el("label", { class: "field" }, app.el("span", {}, text), control);
      this.selects = {
        left: app.select("Left of the edge", options, 0, choose("left"), { id: "left" }),
        right: app.select("Right of the edge", options, 0, choose("right"), { id: "right" }),
      };
      const check = (id, text, name) => {
        const box = app.el("input", { type: "checkbox", id, on: { change: () => this.set({ [name]: box.checked }) } });
        this.selects[name] = box;
        return app.el("label", { class: "check" }, box, text);
      };
      this.place = app.el("p", { id: "place", class: "number" });
      this.list = app.el("ul", { id: "values" });
      this.problem = app.el("p", { class: "problem", role: "alert" });
      const notes = [...data.notes.map((note) => app.el("li", {}, note))];
      this.element = app.el(
        "main",
        { id: "main", tabindex: "-1", class: "volumes" },
        app.el(
          "div",
          { class: "buttons" },
          field("left", this.selects.left),
          app.button("\u21c4", () => this.exchange(), { id: "exchange", "aria-label": "Exchange left and right", title: "key x" }),
          field("right", this.selects.right),
          check("cross", "cross-hair", "hasCross"),
          check("smooth", "smooth", "isSmooth"),
        ),
        this.problem,
        app.el("div", { class: "planes" }, this.views.map((view) => view.element)),
        app.el("section", { class: "under", "aria-label": "Under the cross-hair" }, this.place, this.list),
        notes.length ? app.el("details", { class: "report" }, app.el("summary", {}, "Notes"), app.el("ul", {}, notes)) : null,
        data.command ? app.el("details", { class: "report" }, app.el("summary", {}, "How this page was made"), app.el("div", { class: "command" }, app.el("pre", {}, data.command))) : null,
      );
    }

    /** What is looked at comes first; then the rest, for their values. */
    async load() {
      try {
        for (const volume of [this.left(), this.right(), ...this.volumes]) {
          await volume.load();
          this.update();
        }
        this.element.dataset.shown = "all";
      } catch (error) {
        this.problem.textContent = error.message;
      }
    }

    set(values) {
      Object.assign(this.state, values);
      this.state.wipe = Math.min(Math.max(this.state.wipe, 0), 1);
      for (const side of ["left", "right"]) this.selects[side].value = String(this.state[side]);
      for (const name of ["hasCross", "isSmooth"]) this.selects[name].checked = this.state[name];
      this.views.forEach((view, number) => (view.element.hidden = this.state.only > 0 && this.state.only !== number + 1));
      this.element.querySelector(".planes").classList.toggle("alone", this.state.only > 0);
      this.update();
    }

    exchange() {
      this.set({ left: this.state.right, right: this.state.left });
    }

    activate(view) {
      this.active = view;
      for (const one of this.views) one.element.classList.toggle("active", one === view);
    }

    moveBy(axis, voxels) {
      const place = [...this.cross];
      place[axis] += voxels;
      this.moveTo(place);
    }

    moveTo(place) {
      this.cross = place.map((index, axis) => Math.min(Math.max(index, 0), this.shape[axis] - 1));
      this.update();
    }

    /** The cross-hair in RAS+ millimetres. */
    millimetres() {
      return this.affine.slice(0, 3).map((row) => row[0] * this.cross[0] + row[1] * this.cross[1] + row[2] * this.cross[2] + row[3]);
    }

    update() {
      this.views.forEach((view) => view.draw());
      const words = this.millimetres().map((value, axis) => `${app.text(Math.abs(value), 1)} mm ${DIRECTIONS[axis][Number(value >= 0)]}`);
      this.place.textContent = words.join(", ");
      this.list.replaceChildren(
        ...this.volumes.map((volume) => {
          if (!volume.values) return app.el("li", {}, app.el("span", { class: "patch" }), app.el("span", { class: "name" }, volume.name), "\u2026");
          const patch = app.el("span", { class: "patch" });
          patch.style.background = `rgb(${volume.colourAt(volume.offsetOf(this.cross)).join(",")})`;
          return app.el("li", {}, patch, app.el("span", { class: "name" }, volume.name), app.el("span", { class: "number" }, volume.textAt(this.cross)));
        }),
      );
    }

    key(event) {
      const { plane } = this.active;
      const far = event.shiftKey ? 10 : 1;
      const last = this.shape[plane.axis];
      const moves = {
        ArrowLeft: [plane.across, -far], ArrowRight: [plane.across, far], ArrowUp: [plane.down, -far], ArrowDown: [plane.down, far],
        PageUp: [plane.axis, -far], PageDown: [plane.axis, far], Home: [plane.axis, -last], End: [plane.axis, last],
      };
      const count = this.volumes.length;
      const others = {
        ",": () => this.set({ wipe: this.state.wipe - 0.02 }),
        ".": () => this.set({ wipe: this.state.wipe + 0.02 }),
        x: () => this.exchange(),
        "[": () => this.set({ right: (this.state.right + count - 1) % count }),
        "]": () => this.set({ right: (this.state.right + 1) % count }),
        c: () => this.set({ hasCross: !this.state.hasCross }),
        s: () => this.set({ isSmooth: !this.state.isSmooth }),
        "?": () => app.help(),
      };
      if (event.key in moves) this.moveBy(...moves[event.key]);
      else if ("0123".includes(event.key)) this.alone(Number(event.key));
      else if (event.key in others) others[event.key]();
      else return;
      event.preventDefault();
    }

    alone(number) {
      this.set({ only: number });
      if (number) this.activate(this.views[number - 1]);
    }
  }

  app.start = function () {
    const root = document.getElementById("root");
    const { data } = app;
    if (!data) {
      root.append(app.missing());
      return;
    }
    const help = app.helpDialog("Keys", KEYS, HELP);
    app.help = () => help.showModal();
    app.page = new VolumePage(data);
    root.append(
      app.el("a", { class: "skip", href: "#main" }, "Skip to the content"),
      app.el(
        "header",
        { class: "top" },
        app.el("div", {}, app.el("h1", {}, data.title), data.subtitle ? app.el("p", {}, data.subtitle) : null),
        app.el("div", { class: "buttons" }, app.button("Keys", app.help, { "aria-label": "Keyboard help" }), app.themeButton()),
      ),
      app.page.element,
      app.el("footer", { class: "end" }, `${data.generator}. Not a medical device. This page loads nothing from elsewhere.`),
      help,
    );
    document.addEventListener("keydown", (event) => {
      const isOwn = event.target.closest("input, select, dialog, summary, .wipe-handle");
      if (!isOwn && !event.ctrlKey && !event.metaKey && !event.altKey) app.page.key(event);
    });
  };

  app.start();
})(window.polyfuse);
