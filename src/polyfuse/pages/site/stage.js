// A stage: panes of one size whose zoom and place are locked to each other, moved by pointer, wheel, fingers and keys.
"use strict";
(function (app) {
  const LARGEST = 64; // CSS pixels to a pixel of the picture
  const STILL = 160; // milliseconds after the last movement at which everything is drawn once more, smoothly

  class Stage {
    /**
     * @param {HTMLElement} place - Where the panes go.
     * @param {{onPoint?: (x: number, y: number) => void}} options - Is told over which pixel the pointer is.
     */
    constructor(place, options) {
      this.place = place;
      this.onPoint = (options && options.onPoint) || (() => {});
      this.panes = [];
      this.view = { x: 0, y: 0, zoom: 1 };
      this.width = this.height = 1; // of the pictures
      this.isFitted = true;
      this.point = null;
      this.pointers = new Map();
      new ResizeObserver(() => this.resize()).observe(place);
    }

    /** Show these panes: each has a label, a note, and layers {picture, alpha, from, to} from bottom to top. */
    show(panes, width, height) {
      const isNew = width !== this.width || height !== this.height;
      [this.width, this.height] = [width, height];
      while (this.panes.length > panes.length) this.panes.pop().element.remove();
      while (this.panes.length < panes.length) this.addPane();
      panes.forEach((pane, number) => {
        const own = this.panes[number];
        own.layers = pane.layers;
        own.label.textContent = pane.label;
        own.label.hidden = !pane.label;
        own.canvas.setAttribute("aria-label", pane.alt || pane.label);
      });
      this.arrange();
      if (isNew || this.isFitted) this.fit();
      this.draw();
    }

    addPane() {
      const canvas = app.el("canvas", { role: "img", tabindex: "-1" });
      const label = app.el("div", { class: "pane-label" });
      const element = app.el("div", { class: "pane" }, canvas, label);
      const pane = { canvas, label, element, layers: [], context: canvas.getContext("2d") };
      const on = (kind, run, how) => element.addEventListener(kind, run, how);
      on("pointerdown", (event) => this.press(event, pane));
      on("pointermove", (event) => this.move(event, pane));
      on("pointerup", (event) => this.release(event));
      on("pointercancel", (event) => this.release(event));
      on("pointerleave", () => this.leave());
      on("dblclick", (event) => this.toggleSize(event, pane));
      on("wheel", (event) => this.wheel(event, pane), { passive: false });
      this.panes.push(pane);
      this.place.append(element);
    }

    /** As many columns as make the panes largest for pictures of this shape. */
    arrange() {
      const [width, height, count] = [this.place.clientWidth, this.place.clientHeight, this.panes.length];
      let [best, columns] = [0, 1];
      for (let tried = 1; tried <= count; tried += 1) {
        const rows = Math.ceil(count / tried);
        const zoom = Math.min(width / tried / this.width, height / rows / this.height);
        if (zoom > best * 1.001) [best, columns] = [zoom, tried];
      }
      this.place.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
      this.place.style.gridTemplateRows = `repeat(${Math.ceil(count / columns)}, 1fr)`;
    }

    resize() {
      this.arrange();
      if (this.isFitted) this.fit();
      this.draw();
    }

    size() {
      const pane = this.panes[0];
      return pane ? [pane.element.clientWidth || 1, pane.element.clientHeight || 1] : [1, 1];
    }

    fittingZoom() {
      const [width, height] = this.size();
      return Math.min(width / this.width, height / this.height);
    }

    fit() {
      this.view = { x: this.width / 2, y: this.height / 2, zoom: this.fittingZoom() };
      this.isFitted = true;
      this.draw();
    }

    /** Zoom so that a place of the picture stays where it is in the pane. */
    zoomTo(zoom, x = this.view.x, y = this.view.y) {
      const bounded = Math.min(Math.max(zoom, this.fittingZoom() / 2), LARGEST);
      const factor = this.view.zoom / bounded;
      this.set(x + (this.view.x - x) * factor, y + (this.view.y - y) * factor, bounded);
    }

    zoomBy(factor, x, y) {
      this.zoomTo(this.view.zoom * factor, x, y);
    }

    /** Move by CSS pixels. */
    pan(right, down) {
      this.set(this.view.x + right / this.view.zoom, this.view.y + down / this.view.zoom, this.view.zoom);
    }

    set(x, y, zoom) {
      const inside = (value, size) => Math.min(Math.max(value, 0), size);
      this.view = { x: inside(x, this.width), y: inside(y, this.height), zoom };
      this.isFitted = false;
      this.draw();
    }

    /** The place of the picture under a pointer, in its pixels. */
    placeOf(event, pane) {
      const box = pane.element.getBoundingClientRect();
      const { x, y, zoom } = this.view;
      return [
        x + (event.clientX - box.left - box.width / 2) / zoom,
        y + (event.clientY - box.top - box.height / 2) / zoom,
      ];
    }

    press(event, pane) {
      if (event.target.closest(".wipe-handle") || event.button > 0) return;
      pane.element.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    }

    move(event, pane) {
      const before = this.pointers.get(event.pointerId);
      const [x, y] = this.placeOf(event, pane);
      if (before && this.pointers.size === 2) {
        this.pinch(event, before, pane);
      } else if (before) {
        this.pan(before[0] - event.clientX, before[1] - event.clientY);
      }
      if (before) this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      this.pointAt(Math.floor(x), Math.floor(y));
    }

    pinch(event, before, pane) {
      const [, other] = [...this.pointers].find(([id]) => id !== event.pointerId);
      const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
      const middle = { clientX: (event.clientX + other[0]) / 2, clientY: (event.clientY + other[1]) / 2 };
      this.pan((before[0] - event.clientX) / 2, (before[1] - event.clientY) / 2);
      this.zoomBy(apart([event.clientX, event.clientY]) / Math.max(apart(before), 1), ...this.placeOf(middle, pane));
    }

    release(event) {
      this.pointers.delete(event.pointerId);
    }

    leave() {
      if (this.pointers.size === 0) this.pointAt(-1, -1);
    }

    pointAt(x, y) {
      const isInside = x >= 0 && y >= 0 && x < this.width && y < this.height;
      this.point = isInside ? { x, y } : null;
      this.onPoint(isInside ? x : null, y);
      if (this.panes.length > 1) this.draw();
    }

    toggleSize(event, pane) {
      if (this.isFitted) this.zoomTo(Math.max(1, 2 * this.view.zoom), ...this.placeOf(event, pane));
      else this.fit();
    }

    wheel(event, pane) {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 30 : 1;
      this.zoomBy(Math.exp((-event.deltaY * unit) / 400), ...this.placeOf(event, pane));
    }

    /** Keys that move every stage; true where one was used. */
    key(event) {
      const step = event.shiftKey ? 200 : 50;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (event.key in moves) this.pan(...moves[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoomBy(1.25);
      else if (event.key === "-") this.zoomBy(0.8);
      else if (event.key === "0") this.fit();
      else if (event.key === "1") this.zoomTo(1);
      else return false;
      return true;
    }

    draw() {
      if (this.frame) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = null;
        this.panes.forEach((pane) => this.paint(pane, "low"));
        clearTimeout(this.idle);
        this.idle = setTimeout(() => this.panes.forEach((pane) => this.paint(pane, "high")), STILL);
      });
    }

    paint(pane, quality) {
      const { canvas, context, element } = pane;
      const ratio = window.devicePixelRatio || 1;
      const [width, height] = [Math.round(element.clientWidth * ratio), Math.round(element.clientHeight * ratio)];
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      const scale = this.view.zoom * ratio;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, width, height);
      for (const layer of pane.layers) {
        context.save();
        if (layer.from !== undefined) {
          context.beginPath();
          context.rect(layer.from * width, 0, (layer.to - layer.from) * width, height);
          context.clip();
        }
        context.globalAlpha = layer.alpha === undefined ? 1 : layer.alpha;
        context.imageSmoothingEnabled = scale < 2; // from there on pixels are squares
        context.imageSmoothingQuality = quality;
        context.translate(width / 2 - this.view.x * scale, height / 2 - this.view.y * scale);
        const own = (scale * this.width) / layer.picture.width; // maps may be smaller than what they are of
        context.scale(own, (scale * this.height) / layer.picture.height);
        layer.picture.draw(context, own, () => this.draw());
        context.restore();
      }
      if (this.point && this.panes.length > 1) this.paintPoint(context, width, height, scale, ratio);
    }

    /** A cross at the pixel that the pointer is at in another pane. */
    paintPoint(context, width, height, scale, ratio) {
      const x = width / 2 + (this.point.x + 0.5 - this.view.x) * scale;
      const y = height / 2 + (this.point.y + 0.5 - this.view.y) * scale;
      for (const [colour, line] of [["#000c", 3], ["#fff", 1]]) {
        context.strokeStyle = colour;
        context.lineWidth = line * ratio;
        context.beginPath();
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          context.moveTo(x + 4 * dx * ratio, y + 4 * dy * ratio);
          context.lineTo(x + 12 * dx * ratio, y + 12 * dy * ratio);
        }
        context.stroke();
      }
    }
  }

  app.Stage = Stage;
})(window.polyfuse);
