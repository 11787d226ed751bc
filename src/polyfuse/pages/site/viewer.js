// The viewer of one pair: side by side, wipe, blend, flicker and difference, with maps, numbers and notes.
"use strict";
(function (app) {
  const MODES = [
    ["side", "Side by side", "s"],
    ["wipe", "Wipe", "w"],
    ["blend", "Blend", "b"],
    ["flicker", "Flicker", "f"],
    ["difference", "Difference", "d"],
  ];
  const MAPS = [["none", "no map"], ["lost", "LOST"], ["share", "contribution"]];
  const SLIDERS = {
    wipe: ["Place of the edge", 0, 1, 0.005],
    blend: ["Share of the right picture", 0, 1, 0.01],
    flicker: ["Changes a second", 0.5, 10, 0.5],
    difference: ["Gain", 1, 16, 0.5],
  };

  class Viewer {
    constructor() {
      this.state = { mode: "side", map: "none", wipe: 0.5, blend: 0.5, flicker: 2, difference: 2 };
      this.panes = []; // slots that are side by side
      this.right = null;
      this.left = "b";
      this.turn = 0; // counts what is asked for: what comes late for an earlier one is dropped
      this.build();
      this.stage = new app.Stage(this.stagePlace, { onPoint: (x, y) => this.inspector.point(x, y, this.pointed || []) });
    }

    build() {
      this.inspector = new app.Inspector((slot) => this.chooseRight(slot));
      this.title = app.el("h2", {});
      this.stagePlace = app.el("div", { class: "stage", id: "stage", tabindex: "-1" });
      this.problem = app.el("p", { class: "problem", role: "alert" });
      this.handle = app.el("div", {
        class: "wipe-handle", role: "slider", tabindex: "0", "aria-label": "Edge of the wipe", "aria-valuemin": "0", "aria-valuemax": "100",
      });
      this.handle.addEventListener("pointerdown", (event) => this.handle.setPointerCapture(event.pointerId));
      this.handle.addEventListener("pointermove", (event) => {
        if (!this.handle.hasPointerCapture(event.pointerId)) return;
        const box = this.stagePlace.getBoundingClientRect();
        this.set({ wipe: (event.clientX - box.left) / box.width });
      });
      this.handle.addEventListener("keydown", (event) => this.keyOfHandle(event));
      this.modes = app.el(
        "div",
        { class: "modes", role: "group", "aria-label": "How to compare" },
        MODES.map(([mode, text, key]) => app.button(text, () => this.set({ mode }), { id: `mode-${mode}`, title: `key ${key}` })),
      );
      this.choices = app.el("div", { class: "choices" });
      const step = (by, text, id) => app.button(text, () => this.step(by), { id, "aria-label": by > 0 ? "Next pair" : "Previous pair" });
      const details = app.button("Details", () => this.toggleDetails(), { id: "details", "aria-controls": "inspector", "aria-expanded": "true" });
      this.details = details;
      this.element = app.el(
        "dialog",
        { class: "viewer", "aria-label": "Viewer", on: { keydown: (event) => this.key(event), close: () => this.closed() } },
        app.el(
          "header",
          {},
          step(-1, "\u2039", "previous"),
          step(1, "\u203a", "next"),
          this.title,
          app.button("Fit", () => this.stage.fit(), { title: "key 0" }),
          app.button("1:1", () => this.stage.zoomTo(1), { title: "key 1", "aria-label": "One to one" }),
          details,
          app.button("Keys", () => app.help(), { class: "wide", "aria-label": "Keyboard help", title: "key ?" }),
          app.button("\u2715", () => this.element.close(), { id: "close", "aria-label": "Close" }),
        ),
        app.el("div", { class: "place" }, this.stagePlace, this.handle, this.problem),
        this.inspector.element,
        app.el("footer", {}, this.modes, this.choices),
      );
    }

    /** Open a pair; `slot` is the picture that is looked at. */
    open(number, pair, slot) {
      [this.number, this.collection, this.pair] = [number, app.data.collections[number], pair];
      const slots = app.slotsOf(this.collection, pair).map((one) => one.slot);
      const fused = pair.fused;
      const wanted = [slot, this.right, fused[0], "b"].find((one) => slots.includes(one));
      if (!slots.includes(this.left) || this.left === wanted) this.left = wanted === "b" ? "a" : "b";
      this.right = wanted;
      const kept = this.panes.filter((one) => slots.includes(one));
      const few = window.innerWidth < 700 ? [wanted, "b"] : ["a", "b", ...(fused.includes(wanted) ? [wanted] : fused.slice(0, 1))];
      this.panes = kept.length && (kept.includes(wanted) || slot === null) ? kept : [...new Set(few)];
      this.title.textContent = pair.name;
      this.inspector.show(this.collection, pair);
      this.inspector.point(null, null, []);
      if (!this.element.open) {
        this.element.showModal();
        this.stagePlace.focus();
        if (window.innerWidth < 900 && this.element.classList.contains("with-details") === false) this.toggleDetails(false);
        else this.toggleDetails(!this.element.classList.contains("without-details"));
      }
      this.stage.isFitted = true;
      this.update();
    }

    closed() {
      clearTimeout(this.timer);
      app.grid.fill(); // notes may have changed
      const place = app.grid.shown.indexOf(this.pair);
      app.grid.list.children[place]?.querySelector("button").focus({ preventScroll: true });
    }

    toggleDetails(show = this.element.classList.contains("without-details")) {
      this.element.classList.toggle("without-details", !show);
      this.details.setAttribute("aria-expanded", String(show));
    }

    step(by) {
      const pairs = app.grid.shown.includes(this.pair) ? app.grid.shown : this.collection.pairs;
      const next = pairs[(pairs.indexOf(this.pair) + by + pairs.length) % pairs.length];
      this.open(this.number, next, null);
      app.announce(next.name);
    }

    set(values) {
      if ("wipe" in values) values.wipe = Math.min(Math.max(values.wipe, 0), 1);
      Object.assign(this.state, values);
      this.update();
    }

    chooseRight(slot) {
      if (slot === this.left) this.left = this.right;
      this.right = slot;
      if (this.state.mode === "side" && !this.panes.includes(slot)) this.panes = [...this.panes.slice(0, -1), slot];
      this.update();
    }

    name(slot) {
      return app.slotsOf(this.collection, this.pair).find((one) => one.slot === slot).name;
    }

    load(slot) {
      return app.loadPicture(`${this.number}-${this.collection.pairs.indexOf(this.pair)}/${slot}`);
    }

    /** The layers of a picture: itself, and over it the map that is chosen, where it has one. */
    async layers(slot) {
      const { map } = this.state;
      if (map === "share" && this.pair.share.includes(slot)) {
        return [{ picture: await app.coloured(await this.load(`${slot}-share`)) }];
      }
      const layers = [{ picture: await this.load(slot) }];
      if (map === "lost" && this.pair.lost.includes(slot)) layers.push({ picture: await this.load(`${slot}-lost`), alpha: 0.85 });
      return layers;
    }

    /** Show what the state says. */
    async update() {
      const turn = (this.turn += 1);
      clearTimeout(this.timer);
      this.updateControls();
      try {
        const slots = this.state.mode === "side" ? this.panes : [this.left, this.right];
        const layers = await Promise.all(slots.map((slot) => this.layers(slot)));
        const plain = await Promise.all(slots.map((slot) => this.load(slot)));
        const panes = await this.arranged(slots, layers, plain);
        if (turn !== this.turn || !this.element.open) return;
        this.pointed = slots.map((slot, number) => ({ name: this.name(slot), picture: plain[number] }));
        this.problem.textContent = "";
        this.stage.show(panes, this.pair.width, this.pair.height);
        this.element.dataset.shown = `${this.pair.name} ${this.state.mode} ${slots.join(" ")}`;
        if (this.state.mode === "flicker") this.startFlicker(panes[0], layers, turn);
      } catch (error) {
        if (turn === this.turn) this.problem.textContent = error.message;
      }
    }

    /** The panes of a mode. */
    async arranged(slots, layers, plain) {
      const names = slots.map((slot) => this.name(slot));
      const { mode, wipe, blend, difference } = this.state;
      if (mode === "side") return slots.map((_, n) => ({ label: names[n], layers: layers[n] }));
      const [left, right] = layers;
      const both = (words) => ({ label: `${names[0]} | ${names[1]}`, alt: `${names[0]} and ${names[1]}, ${words}` });
      if (mode === "wipe") {
        const cut = (some, from, to) => some.map((layer) => ({ ...layer, from, to }));
        return [{ ...both("with an edge"), layers: [...cut(left, 0, wipe), ...cut(right, wipe, 1)] }];
      }
      if (mode === "blend") {
        const faded = right.map((layer) => ({ ...layer, alpha: (layer.alpha === undefined ? 1 : layer.alpha) * blend }));
        return [{ ...both("blended"), layers: [...left, ...faded] }];
      }
      if (mode === "flicker") return [{ label: names[0], alt: `${names[0]} and ${names[1]} in turn`, layers: left }];
      const picture = await this.differenceOf(slots, plain, difference);
      return [{ label: `${names[1]} minus ${names[0]}: orange brighter, blue darker`, layers: [{ picture }] }];
    }

    async differenceOf(slots, plain, gain) {
      const key = `${this.number} ${this.pair.name} ${slots.join(" ")} ${gain}`;
      if (this.differenceKey !== key) {
        this.differencePicture = await app.difference(plain[1], plain[0], gain);
        this.differenceKey = key;
      }
      return this.differencePicture;
    }

    startFlicker(pane, layers, turn) {
      let side = 0;
      this.flip = () => {
        side = 1 - side;
        const name = this.name(side ? this.right : this.left);
        this.stage.show([{ ...pane, label: name, layers: layers[side] }], this.pair.width, this.pair.height);
      };
      const next = () => {
        if (turn !== this.turn || !this.element.open) return;
        if (!this.isPaused) this.flip();
        this.timer = setTimeout(next, 1000 / this.state.flicker);
      };
      this.timer = setTimeout(next, 1000 / this.state.flicker);
    }

    updateControls() {
      const { mode, map } = this.state;
      for (const [name] of MODES) {
        this.modes.querySelector(`#mode-${name}`).setAttribute("aria-pressed", String(name === mode));
      }
      this.handle.hidden = mode !== "wipe";
      this.handle.style.left = `${100 * this.state.wipe}%`;
      this.handle.setAttribute("aria-valuenow", String(Math.round(100 * this.state.wipe)));
      const signature = JSON.stringify([mode, map, this.number, this.pair.name, this.left, this.right, this.panes, this.isPaused]);
      if (signature === this.signature) {
        const slider = this.choices.querySelector("#slider");
        if (slider) slider.value = String(this.state[mode]);
        return;
      }
      this.signature = signature;
      const focused = this.choices.contains(document.activeElement) ? document.activeElement.id : null;
      this.choices.replaceChildren(...(mode === "side" ? this.chips() : this.pickers()), this.mapPicker(), this.download());
      if (focused) (this.choices.querySelector(`#${CSS.escape(focused)}`) || this.stagePlace).focus();
    }

    /** Which pictures are side by side. */
    chips() {
      return app.slotsOf(this.collection, this.pair).map(({ slot, name }) => {
        const isOn = this.panes.includes(slot);
        const press = () => {
          const slots = app.slotsOf(this.collection, this.pair).map((one) => one.slot);
          const next = slots.filter((one) => (one === slot ? !isOn : this.panes.includes(one)));
          if (next.length) this.panes = next;
          this.update();
        };
        return app.button(name, press, { id: `chip-${slot}`, class: "chip", "aria-pressed": String(isOn) });
      });
    }

    /** Which two pictures are compared, and the slider of the mode. */
    pickers() {
      const { mode } = this.state;
      const slots = app.slotsOf(this.collection, this.pair).map(({ slot, name }) => [slot, name]);
      const left = app.select("Left picture", slots, this.left, (slot) => { this.left = slot; this.update(); }, { id: "left" });
      const right = app.select("Right picture", slots, this.right, (slot) => { this.right = slot; this.update(); }, { id: "right" });
      const exchange = app.button("\u21c4", () => this.exchange(), { id: "exchange", "aria-label": "Exchange left and right", title: "key x" });
      const [label, low, high, by] = SLIDERS[mode];
      const slider = app.el("input", { type: "range", id: "slider", min: String(low), max: String(high), step: String(by), "aria-label": label, title: label });
      slider.value = String(this.state[mode]);
      slider.addEventListener("input", () => this.set({ [mode]: Number(slider.value) }));
      const pause = mode === "flicker" ? app.button(this.isPaused ? "Go on" : "Pause", () => this.pause(), { id: "pause" }) : null;
      return [left, exchange, right, slider, pause].filter(Boolean);
    }

    mapPicker() {
      const has = { none: true, lost: this.pair.lost.length, share: this.pair.share.length };
      const maps = MAPS.filter(([map]) => has[map]);
      if (!has[this.state.map]) this.state.map = "none";
      const isHidden = this.state.mode === "difference"; // which has no source whose structure a map could show
      const select = app.select("Map", maps, this.state.map, (map) => this.set({ map }), { id: "map", disabled: isHidden });
      const texts = {
        none: "",
        lost: "orange: structure of " + this.collection.a + " that is gone; violet: of " + this.collection.b,
        share: "orange: from " + this.collection.a + "; violet: from " + this.collection.b,
      };
      return app.el("span", { class: "map" }, select, app.el("span", { class: "legend" }, isHidden ? "" : texts[this.state.map]));
    }

    /** Saves the picture on the right as a file. */
    download() {
      const slot = this.right;
      const save = async () => {
        const picture = await this.load(slot);
        const canvas = app.el("canvas", { width: picture.width, height: picture.height });
        picture.draw(canvas.getContext("2d"), 1, () => {});
        canvas.toBlob((blob) => app.saveBlob(`${this.pair.name} ${this.name(slot)}.png`, blob));
      };
      return app.button("Save", save, { id: "save", class: "quiet", title: `Save the picture of ${this.name(slot)} as PNG` });
    }

    exchange() {
      [this.left, this.right] = [this.right, this.left];
      this.update();
    }

    pause() {
      this.isPaused = !this.isPaused;
      this.update();
    }

    keyOfHandle(event) {
      const step = event.shiftKey ? 0.1 : 0.01;
      const to = { ArrowLeft: this.state.wipe - step, ArrowRight: this.state.wipe + step, Home: 0, End: 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.set({ wipe: to });
    }

    key(event) {
      if (app.isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
      const key = event.key.toLowerCase();
      const mode = MODES.find(([, , one]) => one === key);
      const slots = app.slotsOf(this.collection, this.pair).map((one) => one.slot);
      const cycle = (by) => this.chooseRight(slots[(slots.indexOf(this.right) + by + slots.length) % slots.length]);
      const others = {
        n: () => this.step(1),
        p: () => this.step(-1),
        x: () => this.exchange(),
        l: () => this.set({ map: this.state.map === "lost" ? "none" : "lost" }),
        c: () => this.set({ map: this.state.map === "share" ? "none" : "share" }),
        i: () => this.toggleDetails(),
        "]": () => cycle(1),
        "[": () => cycle(-1),
        "?": () => app.help(),
      };
      if (mode) this.set({ mode: mode[0] });
      else if (key in others) others[key]();
      else if (key === " " && this.state.mode === "flicker" && event.target.tagName !== "BUTTON") {
        if (this.isPaused) this.flip();
        else this.pause();
      } else if (!this.stage.key(event)) return;
      event.preventDefault();
    }
  }

  app.Viewer = Viewer;
})(window.polyfuse);
