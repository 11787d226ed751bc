// The blind test: two pictures of one pair without names, one choice each, Bradley-Terry scores at the end.
"use strict";
(function (app) {
  const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "neither" };

  /** Every choice of a test in order: each pair of methods about equally often, scenes too, sides at random. */
  app.planTest = function (methods, number, seed) {
    const random = app.random(seed);
    const scenes = app.data.collections.flatMap((collection, c) => collection.pairs.map((pair) => ({ c, pair, uses: 0 })));
    const couples = methods.flatMap((one, i) => methods.slice(i + 1).map((other) => [one, other]));
    const usable = couples.filter((couple) => scenes.some(({ pair }) => couple.every((slot) => pair.fused.includes(slot))));
    const trials = [];
    let round = [];
    while (trials.length < number && usable.length) {
      if (round.length === 0) round = app.shuffle(usable, random);
      const couple = round.pop();
      const fitting = scenes.filter(({ pair }) => couple.every((slot) => pair.fused.includes(slot)));
      const least = Math.min(...fitting.map((scene) => scene.uses));
      const scene = app.shuffle(fitting.filter((one) => one.uses === least), random)[0];
      scene.uses += 1;
      const [left, right] = random() < 0.5 ? couple : [couple[1], couple[0]];
      trials.push({ collection: scene.c, pair: scene.pair, left, right });
    }
    return trials;
  };

  class BlindTest {
    constructor() {
      this.choices = [];
      this.body = app.el("div", { class: "blind-body" });
      this.element = app.el(
        "dialog",
        {
          class: "blind",
          "aria-label": "Blind test",
          on: { keydown: (event) => this.key(event), cancel: (event) => this.cancel(event) },
        },
        this.body,
      );
    }

    open() {
      this.trials = null;
      const boxes = app.data.methods.map((name, number) => {
        const box = app.el("input", { type: "checkbox", value: `m${number}`, checked: true });
        return app.el("label", { class: "check" }, box, name);
      });
      const number = app.el("input", { type: "number", id: "number", min: "1", max: "2000", value: "20" });
      const question = app.el("input", { type: "text", id: "question", value: "Which picture shows the scene better?" });
      const seed = app.el("input", { type: "number", id: "seed", min: "0", value: String(Math.floor(Math.random() * 1e6)) });
      const observer = app.el("input", { type: "text", id: "observer", placeholder: "may stay empty", autocomplete: "off" });
      const sources = app.el("input", { type: "checkbox", id: "sources", checked: true });
      const field = (label, control) => app.el("label", { class: "field" }, app.el("span", {}, label), control);
      const start = () => {
        const methods = boxes.map((label) => label.firstChild).filter((box) => box.checked).map((box) => box.value);
        this.start(methods, {
          number: Number(number.value), seed: Number(seed.value), question: question.value, observer: observer.value, sources: sources.checked,
        });
      };
      this.element.classList.remove("running");
      const earlier = app.recall(`choices ${app.data.id}`, null);
      this.problem = app.el("p", { class: "problem", role: "alert" });
      this.body.replaceChildren(
        app.el("h2", {}, "Blind test"),
        app.el("p", {}, "Two pictures of one scene are shown without names. Choose one, or neither; at the end there are scores."),
        app.el("fieldset", {}, app.el("legend", {}, "Methods"), boxes),
        app.el("div", { class: "fields" }, field("Choices", number), field("Seed", seed), field("Your name", observer)),
        field("Question", question),
        app.el("label", { class: "check" }, sources, "show the two sources as well"),
        this.problem,
        app.el(
          "div",
          { class: "buttons" },
          app.button("Begin", start, { id: "begin", class: "primary" }),
          earlier ? app.button(`Results of the last test (${earlier.choices.length})`, () => this.again(earlier)) : null,
          app.button("Close", () => this.element.close(), { id: "blind-close" }),
        ),
      );
      if (!this.element.open) this.element.showModal();
      this.body.querySelector("#begin").focus();
    }

    start(methods, settings) {
      this.settings = settings;
      const isNumber = Number.isInteger(settings.number) && settings.number > 0 && settings.number <= 2000;
      const trials = isNumber ? app.planTest(methods, settings.number, settings.seed) : [];
      if (trials.length === 0) {
        this.problem.textContent = isNumber
          ? "Choose at least two methods that share a pair."
          : "Give a number of choices from 1 to 2000.";
        return;
      }
      [this.trials, this.choices, this.pending] = [trials, [], false];
      this.element.classList.add("running");
      const place = app.el("div", { class: "stage", id: "blind-stage", tabindex: "-1" });
      this.progress = app.el("p", { class: "count", role: "status" });
      const button = (text, chosen, key) => app.button(text, () => this.choose(chosen), { id: `choose-${chosen}`, class: "primary", title: `key ${key}` });
      this.body.replaceChildren(
        app.el("h2", {}, settings.question),
        place,
        app.el(
          "div",
          { class: "buttons" },
          button("\u2190 Left", "left", "\u2190"),
          button("\u2193 Neither", "neither", "\u2193"),
          button("Right \u2192", "right", "\u2192"),
          app.button("Undo", () => this.undo(), { id: "undo", title: "key u" }),
          app.button("Stop", () => this.finish(), { id: "stop" }),
          this.progress,
        ),
      );
      this.stage = new app.Stage(place);
      place.focus(); // the button that was pressed is gone, and keys would go nowhere
      this.next();
    }

    async next() {
      const number = this.choices.length;
      if (number >= this.trials.length) {
        this.finish();
        return;
      }
      this.pending = true;
      this.progress.textContent = `${number + 1} of ${this.trials.length}`;
      const trial = this.trials[number];
      const collection = app.data.collections[trial.collection];
      const key = (slot) => `${trial.collection}-${collection.pairs.indexOf(trial.pair)}/${slot}`;
      const shown = [["left", trial.left], ["right", trial.right]];
      if (this.settings.sources) shown.push([collection.a, "a"], [collection.b, "b"]);
      const trials = this.trials;
      const panes = await Promise.all(
        shown.map(async ([label, slot]) => ({ label, layers: [{ picture: await app.loadPicture(key(slot)) }] })),
      );
      if (this.trials !== trials || this.choices.length !== number) return; // stopped or undone meanwhile
      this.stage.isFitted = true;
      this.stage.show(panes, trial.pair.width, trial.pair.height);
      this.since = performance.now();
      this.pending = false;
      this.element.dataset.trial = String(number);
    }

    choose(chosen) {
      if (this.pending || !this.trials) return;
      const trial = this.trials[this.choices.length];
      this.choices.push({
        collection: app.data.collections[trial.collection].name,
        pair: trial.pair.name,
        left: app.methodOf(trial.left),
        right: app.methodOf(trial.right),
        chosen,
        seconds: Math.round(performance.now() - this.since) / 1000,
      });
      app.remember(`choices ${app.data.id}`, this.document());
      this.next();
    }

    undo() {
      if (this.pending || this.choices.length === 0) return;
      this.choices.pop();
      this.next();
    }

    again(earlier) {
      this.choices = earlier.choices;
      this.settings = { seed: earlier.seed, question: earlier.question, observer: earlier.observer };
      this.finish();
    }

    /** What is saved as JSON; `polyfuse compare --choices` reads it. */
    document() {
      const { seed, question, observer } = this.settings;
      const facts = { format: "polyfuse-choices", schema: 1, generator: app.data.generator, page: app.data.title, page_id: app.data.id };
      return { ...facts, seed, question, observer, choices: this.choices, scores: app.bradleyTerry(this.choices) };
    }

    finish() {
      this.trials = null;
      if (this.choices.length === 0) {
        this.open();
        return;
      }
      this.element.classList.remove("running");
      const scores = app.bradleyTerry(this.choices);
      const columns = [
        ["method", null, "none"], ["score", 2, "higher"], ["\u00b1", 2, "none"], ["preferred to the average", 2, "higher"],
        ["won", 0, "none"], ["lost", 0, "none"], ["neither", 0, "none"],
      ].map(([name, digits, better]) => ({ name, digits, better, note: "" }));
      const rows = scores.map((row) => [row.method, row.score, row.error, row.chance, row.wins, row.losses, row.ties]);
      const csv = () => {
        const fields = ["collection", "pair", "left", "right", "chosen", "seconds"];
        app.saveCsv("choices.csv", [fields, ...this.choices.map((choice) => fields.map((field) => choice[field]))]);
      };
      this.body.replaceChildren(
        app.el("h2", {}, `${this.choices.length} ${this.choices.length === 1 ? "choice" : "choices"}`),
        app.table({ columns, rows, caption: "Bradley-Terry scores", best: [], muted: [] }),
        app.el(
          "p",
          { class: "hint" },
          "Of two methods the first is preferred with the chance 1 / (1 + exp(second \u2212 first)); \u00b1 is the standard error. " +
            "Methods whose scores lie within two errors of each other are not told apart by this test. Each method has one " +
            "imagined tie with an average one, which draws scores towards 0 where choices are few.",
        ),
        app.el(
          "div",
          { class: "buttons" },
          app.button("Save as JSON", () => app.saveJson("choices.json", this.document()), { id: "choices-json", class: "primary" }),
          app.button("Save as CSV", csv, { id: "choices-csv" }),
          app.button("Another test", () => this.open()),
          app.button("Close", () => this.element.close(), { id: "blind-close" }),
        ),
      );
      this.body.querySelector("#choices-json").focus();
    }

    cancel(event) {
      if (!this.trials) return;
      event.preventDefault();
      this.finish();
    }

    key(event) {
      if (!this.trials || app.isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in KEYS && !event.shiftKey) this.choose(KEYS[event.key]);
      else if (event.key === "u") this.undo();
      else if (!this.stage.key(event)) return;
      event.preventDefault();
    }
  }

  app.BlindTest = BlindTest;
})(window.polyfuse);
