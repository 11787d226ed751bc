// What every other part uses: elements, numbers as text, files to save, what the browser remembers.
"use strict";
(function (app) {
  /** An element: attributes by name, properties where the value is no text, listeners under `on`, then children. */
  app.el = function (tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "on") {
        for (const [kind, run] of Object.entries(value)) node.addEventListener(kind, run);
      } else if (typeof value === "string") {
        node.setAttribute(key, value);
      } else if (value === true) {
        node.setAttribute(key, "");
      } else {
        node[key] = value;
      }
    }
    node.append(...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false));
    return node;
  };

  /** A button with a text, and where it has one, the key that does the same. */
  app.button = function (text, run, attributes) {
    return app.el("button", { type: "button", on: { click: run }, ...attributes }, text);
  };

  /** A select element: options are [value, text] pairs. */
  app.select = function (label, options, value, run, attributes) {
    const select = app.el(
      "select",
      { "aria-label": label, on: { change: () => run(select.value) }, ...attributes },
      options.map(([key, text]) => app.el("option", { value: String(key) }, text)),
    );
    select.value = String(value);
    return select;
  };

  app.text = function (value, digits) {
    if (value === null || value === undefined) return "\u2013";
    if (typeof value !== "number" || digits === null || digits === undefined) return String(value);
    return value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1"); // no "-0.00"
  };

  /** Say something to those who listen to the page instead of seeing it. */
  app.announce = function (text) {
    document.getElementById("live").textContent = text;
  };

  /** Lines of comma-separated values; a cell with a comma, quote or line end stands in quotes (RFC 4180). */
  app.csv = function (rows) {
    const cell = (value) => {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  };

  /** Save something as a file. */
  app.saveBlob = function (name, blob) {
    const address = URL.createObjectURL(blob);
    const link = app.el("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  };

  app.save = (name, text, kind) => app.saveBlob(name, new Blob([text], { type: kind }));
  app.saveJson = (name, value) => app.save(name, JSON.stringify(value, null, 2) + "\n", "application/json");
  app.saveCsv = (name, rows) => app.save(name, app.csv(rows), "text/csv");

  /** What this browser remembers of this page; nothing where it may not remember. */
  app.remember = function (key, value) {
    try {
      localStorage.setItem(`polyfuse ${key}`, JSON.stringify(value));
    } catch {
      // A private window, or a full store: the page works without.
    }
  };
  app.recall = function (key, otherwise) {
    try {
      const text = localStorage.getItem(`polyfuse ${key}`);
      return text === null ? otherwise : JSON.parse(text);
    } catch {
      return otherwise;
    }
  };

  /** Numbers in [0, 1) that a seed fixes (mulberry32). */
  app.random = function (seed) {
    let state = seed >>> 0;
    return function () {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  };

  const waiting = new Map();

  /** Called by the files beside a page: the content of one has come. */
  app.arrived = function (key, content) {
    const taker = waiting.get(key);
    waiting.delete(key);
    if (taker) taker(content);
  };

  /** The content of a file beside the page, which is a script: a page that is opened from disk may load no other. */
  app.contentOf = (key) =>
    new Promise((resolve, reject) => {
      waiting.set(key, resolve);
      const script = app.el("script", { src: `${app.data.root}/${key}.js` });
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        waiting.delete(key);
        reject(new Error(`The file ${app.data.root}/${key}.js is missing beside this page.`));
      };
      document.head.append(script);
    });

  app.shuffle = function (items, random) {
    const result = items.slice();
    for (let last = result.length - 1; last > 0; last -= 1) {
      const place = Math.floor(random() * (last + 1));
      [result[last], result[place]] = [result[place], result[last]];
    }
    return result;
  };

  /** Whether a key goes to a field in which one types. */
  app.isTyping = (event) => Boolean(event.target.closest("input:not([type=checkbox]):not([type=range]), textarea, select"));

  /** The pictures of a pair in order: sources, then methods; each {slot, name}. */
  app.slotsOf = function (collection, pair) {
    const sources = [
      { slot: "a", name: collection.a },
      { slot: "b", name: collection.b },
    ];
    return [...sources, ...pair.fused.map((slot) => ({ slot, name: app.methodOf(slot) }))];
  };

  app.methodOf = (slot) => app.data.methods[Number(slot.slice(1))];
})(window.polyfuse);
