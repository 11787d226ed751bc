// The grid of pairs: search, sorting, cards or a contact sheet of all methods.
"use strict";
(function (app) {
  class Grid {
    constructor() {
      this.state = {
        collection: 0,
        words: "",
        method: 0,
        sort: "order",
        down: false,
        layout: "cards",
        marked: false,
      };
      this.list = app.el("div", { class: "cards", role: "list" });
      this.count = app.el("p", { class: "count", role: "status" });
      this.bar = app.el("div", { class: "bar", role: "search" });
      this.element = app.el(
        "section",
        { id: "pictures", "aria-label": "Pictures" },
        app.el("h2", {}, "Pictures"),
        this.bar,
        this.count,
        this.list,
      );
      this.fillBar();
      this.fill();
    }

    get collection() {
      return app.data.collections[this.state.collection];
    }

    change(values) {
      Object.assign(this.state, values);
      this.fill();
    }

    fillBar() {
      const data = app.data;
      const field = (label, control) => app.el("label", { class: "field" }, app.el("span", {}, label), control);
      const collections = data.collections.map((one, number) => [number, one.name]);
      const methods = data.methods.map((name, number) => [number, name]);
      const sorts = [["order", "as given"], ["name", "name"], ["apart", "disagreement"], ["note", "notes first"]];
      for (const [number, metric] of data.metrics.entries()) sorts.push([number, metric.name]);
      const search = app.el("input", { type: "search", id: "search", placeholder: "name or note", autocomplete: "off" });
      search.addEventListener("input", () => this.change({ words: search.value }));
      this.turn = app.button("", () => this.change({ down: !this.state.down }), { id: "turn" });
      const parts = [field("Search", search)];
      if (collections.length > 1) {
        parts.push(field("Set", app.select("Set", collections, 0, (value) => this.change({ collection: Number(value) }), { id: "set" })));
      }
      if (methods.length > 1) {
        parts.push(field("Method", app.select("Method", methods, 0, (value) => this.change({ method: Number(value) }), { id: "method" })));
      }
      const sort = app.select("Sort by", sorts, "order", (value) => this.sortBy(value), { id: "sort" });
      parts.push(field("Sort by", app.el("span", { class: "joined" }, sort, this.turn)));
      if (methods.length > 1) {
        const layouts = [["cards", "cards"], ["sheet", "contact sheet"]];
        parts.push(field("Show", app.select("Show", layouts, "cards", (value) => this.change({ layout: value }), { id: "layout" })));
      }
      const box = app.el("input", { type: "checkbox", id: "marked" });
      box.addEventListener("change", () => this.change({ marked: box.checked }));
      parts.push(app.el("label", { class: "check" }, box, "with notes"));
      this.bar.replaceChildren(...parts);
    }

    /** The most interesting first: best values, or where methods disagree most. */
    sortBy(value) {
      const better = value in app.data.metrics ? app.data.metrics[value].better : "none";
      this.change({ sort: value, down: value === "apart" || value === "note" || better === "higher" });
    }

    /** What a pair is sorted by, and what its card says of it. */
    valueOf(pair) {
      const { sort, method } = this.state;
      if (sort === "name") return pair.name;
      if (sort === "apart") return pair.apart;
      if (sort === "note") {
        const note = app.note(this.collection, pair);
        return (note.marked ? 2 : 0) + (note.text ? 1 : 0);
      }
      if (sort === "order") return this.collection.pairs.indexOf(pair);
      const scores = pair.scores[method];
      return scores ? scores[Number(sort)] : null;
    }

    /** The pairs that are shown, in order. */
    pairs() {
      const words = this.state.words.toLowerCase().split(/\s+/).filter(Boolean);
      const found = this.collection.pairs.filter((pair) => {
        const note = app.note(this.collection, pair);
        const text = `${pair.name} ${pair.note} ${note.text}`.toLowerCase();
        return words.every((word) => text.includes(word)) && (!this.state.marked || note.marked || note.text);
      });
      const index = new Map(this.collection.pairs.map((pair, number) => [pair, number]));
      const values = new Map(found.map((pair) => [pair, this.valueOf(pair)]));
      const order = (one, other) => app.compareCells(values.get(one), values.get(other), this.state.down);
      return found.sort((one, other) => order(one, other) || index.get(one) - index.get(other));
    }

    fill() {
      const { layout, down, sort } = this.state;
      this.shown = this.pairs();
      this.turn.textContent = down ? "\u2193" : "\u2191";
      this.turn.setAttribute("aria-label", down ? "Descending: turn the order round" : "Ascending: turn the order round");
      this.list.className = layout;
      this.list.replaceChildren(...this.shown.map((pair) => (layout === "cards" ? this.card(pair) : this.row(pair))));
      const total = this.collection.pairs.length;
      const some = this.shown.length === total ? `${total}` : `${this.shown.length} of ${total}`;
      const meaning = sort === "apart" ? " Disagreement: standard deviation of the methods' grey levels, mean over the picture." : "";
      this.count.textContent = `${some} ${total === 1 ? "pair" : "pairs"}.${meaning}`;
    }

    key(pair, slot) {
      return `${this.state.collection}-${this.collection.pairs.indexOf(pair)}/${slot}`;
    }

    thumbnail(pair, slot, name) {
      const attributes = { src: app.thumbnail(this.key(pair, slot)), alt: name, loading: "lazy", decoding: "async" };
      const image = app.el("img", attributes);
      image.style.aspectRatio = `${pair.width} / ${pair.height}`;
      return image;
    }

    /** One line of numbers under a pair. */
    facts(pair) {
      const { sort } = this.state;
      const note = app.note(this.collection, pair);
      const parts = [`${pair.width}\u00d7${pair.height}`];
      if (sort === "apart") parts.push(`apart ${app.text(pair.apart, 1)}`);
      else if (sort in app.data.metrics) {
        const metric = app.data.metrics[sort];
        parts.push(`${metric.name} ${app.text(this.valueOf(pair), metric.digits)}`);
      }
      if (note.marked) parts.push("\u2605");
      if (note.text) parts.push(note.text);
      if (pair.note) parts.push(pair.note);
      return app.el("p", { class: "facts" }, parts.join(" \u00b7 "));
    }

    card(pair) {
      const slot = `m${this.state.method}`;
      const main = pair.fused.includes(slot) ? slot : null;
      const open = () => app.viewer.open(this.state.collection, pair, main);
      const picture = main
        ? this.thumbnail(pair, main, `${app.methodOf(main)}`)
        : app.el("span", { class: "absent" }, app.data.methods.length ? "no picture of this method" : "");
      const { a, b } = this.collection;
      return app.el(
        "article",
        { class: "card", role: "listitem" },
        app.el(
          "button",
          { type: "button", class: "pictures", "aria-label": `Open ${pair.name}`, on: { click: open } },
          app.el("span", { class: "main" }, picture),
          app.el("span", { class: "half" }, this.thumbnail(pair, "a", a)),
          app.el("span", { class: "half" }, this.thumbnail(pair, "b", b)),
        ),
        app.el("h3", {}, pair.name),
        this.facts(pair),
      );
    }

    /** All pictures of a pair beside each other. */
    row(pair) {
      const pictures = app.slotsOf(this.collection, pair).map(({ slot, name }) =>
        app.el(
          "figure",
          {},
          app.el(
            "button",
            {
              type: "button",
              "aria-label": `Open ${pair.name}, ${name}`,
              on: { click: () => app.viewer.open(this.state.collection, pair, slot) },
            },
            this.thumbnail(pair, slot, name),
          ),
          app.el("figcaption", {}, name),
        ),
      );
      const head = app.el("div", { class: "row-head" }, app.el("h3", {}, pair.name), this.facts(pair));
      return app.el("article", { class: "row", role: "listitem" }, head, app.el("div", { class: "strip" }, pictures));
    }
  }

  app.Grid = Grid;
})(window.polyfuse);
