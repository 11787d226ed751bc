// A plane: slices across one axis, the cross-hair, the edge of the wipe, and a slider that scrolls.
"use strict";
(function (app) {
  const SCROLLED = 40; // pixels of the wheel that are a slice
  app.PLANES = [
    { name: "axial", axis: 2, across: 0, down: 1, letters: ["R", "L", "A", "P"] },
    { name: "coronal", axis: 1, across: 0, down: 2, letters: ["R", "L", "S", "I"] },
    { name: "sagittal", axis: 0, across: 1, down: 2, letters: ["A", "P", "S", "I"] },
  ];
  const SIDES = ["left", "right", "top", "bottom"];

  class PlaneView {
    /**
     * @param {object} plane - One of `PLANES`.
     * @param {object} page - The page: its state, its volumes, and what changes them.
     */
    constructor(plane, page) {
      [this.plane, this.page, this.rolled] = [plane, page, 0];
      this.canvas = app.el("canvas", { role: "img" });
      this.context = this.canvas.getContext("2d");
      this.handle = app.el("div", {
        class: "wipe-handle", role: "slider", tabindex: "0", "aria-label": `Edge of the wipe, ${plane.name}`, "aria-valuemin": "0", "aria-valuemax": "100",
      });
      this.pane = app.el(
        "div",
        { class: "pane", tabindex: "0", "aria-label": `${plane.name} plane: arrow keys move the cross-hair` },
        this.canvas,
        plane.letters.map((letter, side) => app.el("span", { class: `toward toward-${SIDES[side]}`, "aria-hidden": "true" }, letter)),
        this.handle,
      );
      this.slider = app.el("input", { type: "range", min: "0", max: String(page.shape[plane.axis] - 1), "aria-label": `Slice, ${plane.name}` });
      this.number = app.el("span", { class: "number" });
      this.element = app.el(
        "section",
        { class: "plane", id: `plane-${plane.name}` },
        this.pane,
        app.el("label", { class: "scroller" }, app.el("span", {}, plane.name), this.slider, this.number),
      );
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.pane);
    }

    listen() {
      const { pane, handle, plane, page } = this;
      const point = (event) => {
        const place = this.placeOf(event);
        if (place) page.moveTo(place);
      };
      pane.addEventListener("focus", () => page.activate(this));
      pane.addEventListener("pointerdown", (event) => {
        if (event.button > 0 || event.target === handle) return;
        pane.setPointerCapture(event.pointerId);
        page.activate(this);
        point(event);
      });
      pane.addEventListener("pointermove", (event) => {
        if (event.target !== handle && pane.hasPointerCapture(event.pointerId)) point(event);
      });
      pane.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
      handle.addEventListener("pointermove", (event) => {
        if (!handle.hasPointerCapture(event.pointerId)) return;
        const box = pane.getBoundingClientRect();
        page.set({ wipe: (event.clientX - box.left) / box.width });
      });
      handle.addEventListener("keydown", (event) => {
        const steps = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 };
        if (!(event.key in steps)) return;
        event.preventDefault();
        page.set({ wipe: page.state.wipe + steps[event.key] });
      });
      this.slider.addEventListener("input", () => page.moveBy(plane.axis, Number(this.slider.value) - page.cross[plane.axis]));
    }

    wheel(event) {
      event.preventDefault();
      this.rolled += event.deltaY * (event.deltaMode === 1 ? SCROLLED : 1);
      const slices = Math.trunc(this.rolled / SCROLLED);
      this.rolled -= slices * SCROLLED;
      if (slices) this.page.moveBy(this.plane.axis, slices);
    }

    /** Width and height of a voxel in CSS pixels, and where the picture begins: millimetres are to scale. */
    layout() {
      const { plane, page } = this;
      const [across, down] = [page.spacing[plane.across], page.spacing[plane.down]];
      const [columns, rows] = [page.shape[plane.across], page.shape[plane.down]];
      const [width, height] = [this.pane.clientWidth, this.pane.clientHeight];
      const scale = Math.min(width / (columns * across), height / (rows * down));
      const size = [across * scale, down * scale];
      return { size, left: (width - columns * size[0]) / 2, top: (height - rows * size[1]) / 2, width, height };
    }

    /** The voxel under a pointer, null beside the picture. */
    placeOf(event) {
      const { plane, page } = this;
      const box = this.pane.getBoundingClientRect();
      const { size, left, top } = this.layout();
      const column = Math.floor((event.clientX - box.left - left) / size[0]);
      const row = Math.floor((event.clientY - box.top - top) / size[1]);
      if (column < 0 || row < 0 || column >= page.shape[plane.across] || row >= page.shape[plane.down]) return null;
      const place = [...page.cross];
      [place[plane.across], place[plane.down]] = [column, row];
      return place;
    }

    draw() {
      if (this.frame) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = null;
        this.paint();
      });
    }

    paint() {
      const { plane, page, canvas, context } = this;
      const { size, left, top, width, height } = this.layout();
      const ratio = window.devicePixelRatio || 1;
      const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
      const index = page.cross[plane.axis];
      const { wipe, isSmooth } = page.state;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      context.imageSmoothingEnabled = isSmooth;
      context.imageSmoothingQuality = "high";
      const halves = [[page.left(), 0, wipe * width], [page.right(), wipe * width, width]];
      for (const [volume, from, to] of halves) {
        if (!volume.values) continue;
        context.save();
        context.beginPath();
        context.rect(from, 0, to - from, height);
        context.clip();
        const picture = volume.slice(plane, index);
        context.drawImage(picture, left, top, picture.width * size[0], picture.height * size[1]);
        context.restore();
      }
      if (page.state.hasCross) this.paintCross(size, left, top, width, height);
      this.handle.style.left = `${100 * wipe}%`;
      this.handle.setAttribute("aria-valuenow", String(Math.round(100 * wipe)));
      this.handle.setAttribute("aria-valuetext", `${page.left().name} to the left, ${page.right().name} to the right`);
      const text = `${index + 1} / ${page.shape[plane.axis]}`;
      canvas.setAttribute("aria-label", `${plane.name} slice ${text}: ${page.left().name} and ${page.right().name}`);
      this.slider.value = String(index);
      this.slider.setAttribute("aria-valuetext", text);
      this.number.textContent = text;
    }

    /** Lines through the voxel, open around it, so that it can be seen. */
    paintCross(size, left, top, width, height) {
      const { plane, page, context } = this;
      const x = left + (page.cross[plane.across] + 0.5) * size[0];
      const y = top + (page.cross[plane.down] + 0.5) * size[1];
      const gap = 8;
      for (const [colour, line] of [["#000a", 3], ["#ffd24a", 1]]) {
        context.strokeStyle = colour;
        context.lineWidth = line;
        context.beginPath();
        for (const [fromX, fromY, toX, toY] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
          context.moveTo(fromX, fromY);
          context.lineTo(toX, toY);
        }
        context.stroke();
      }
    }
  }

  app.PlaneView = PlaneView;
})(window.polyfuse);
