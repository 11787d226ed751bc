// Pictures: loaded when they are first shown, kept while there is room, drawn at any zoom, read pixel by pixel.
"use strict";
(function (app) {
  const MOST_PIXELS = 200e6; // of pictures that are kept at a time; four bytes each
  const LARGE = 3e6; // pixels above which smaller copies are made, so that a picture that is zoomed out draws fast
  const kept = new Map();

  /** Where a small copy of a picture is. */
  app.thumbnail = (key) => (app.data.thumbnails ? app.data.thumbnails[key] : `${app.data.root}/${key}.jpg`);

  /** The content of a picture as an address that an image element takes. */
  const addressOf = (key) => (app.data.pictures ? Promise.resolve(app.data.pictures[key]) : app.contentOf(key));

  /** A picture of which the whole is in memory. */
  class Picture {
    constructor(levels) {
      this.levels = levels; // the picture, and copies of half, a quarter of its size
      this.width = levels[0].width;
      this.height = levels[0].height;
    }

    /** Draw it so that its pixel (0, 0) is at the context's origin, one unit to a pixel; `scale` says how large that is. */
    draw(context, scale) {
      let level = 0;
      while (level + 1 < this.levels.length && scale * 2 ** (level + 1) <= 1) level += 1;
      context.drawImage(this.levels[level], 0, 0, this.width, this.height);
    }

    /** [red, green, blue, opacity] of a pixel, 0 to 255. */
    pixel(x, y) {
      return app.pixelOf(this.levels[0], x, y);
    }

    /** All pixels, four values each. */
    pixels() {
      const canvas = app.el("canvas", { width: this.width, height: this.height });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(this.levels[0], 0, 0);
      return context.getImageData(0, 0, this.width, this.height).data;
    }
  }

  const probe = app.el("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  app.Picture = Picture;

  /** [red, green, blue, opacity] of a pixel of a bitmap. */
  app.pixelOf = function (bitmap, x, y) {
    probe.clearRect(0, 0, 1, 1);
    probe.drawImage(bitmap, x, y, 1, 1, 0, 0, 1, 1);
    return probe.getImageData(0, 0, 1, 1).data;
  };

  async function load(key) {
    const image = new Image();
    image.src = await addressOf(key);
    await image.decode();
    const levels = [await createImageBitmap(image, { colorSpaceConversion: "none" })];
    while (levels[levels.length - 1].width * levels[levels.length - 1].height > LARGE) {
      const last = levels[levels.length - 1];
      const size = { resizeWidth: Math.ceil(last.width / 2), resizeHeight: Math.ceil(last.height / 2) };
      const smaller = await createImageBitmap(last, { ...size, resizeQuality: "medium" });
      if (smaller.width >= last.width) break; // a browser that knows no resizing
      levels.push(smaller);
    }
    return new Picture(levels);
  }

  /** The picture of a key such as "0-3/m0": collection, pair, slot. */
  app.loadPicture = function (key) {
    let picture = kept.get(key);
    if (picture) {
      kept.delete(key); // and set again below: the last in the map is the one used last
    } else {
      picture = (app.data.served ? app.loadServed(key) : load(key)).catch((error) => {
        kept.delete(key);
        throw error;
      });
    }
    kept.set(key, picture);
    forget();
    return picture;
  };

  async function forget() {
    const sizes = await Promise.all(
      [...kept].map(async ([key, promise]) => [key, await promise.then((one) => one.width * one.height).catch(() => 0)]),
    );
    let total = sizes.reduce((sum, [, pixels]) => sum + pixels, 0);
    for (const [key, pixels] of sizes.slice(0, -8)) {
      if (total <= MOST_PIXELS) break;
      kept.delete(key);
      total -= pixels;
    }
  }

  /** How one picture differs from another: grey where equal, orange where brighter, blue where darker. */
  app.difference = async function (first, second, gain) {
    const [one, other] = [first.small || first, second.small || second]; // of tiled pictures the reduced copies
    const [a, b] = [one.pixels(), other.pixels()];
    const canvas = app.el("canvas", { width: one.width, height: one.height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(one.width, one.height);
    const target = image.data;
    for (let i = 0; i < a.length; i += 4) {
      const step = gain * (0.299 * (a[i] - b[i]) + 0.587 * (a[i + 1] - b[i + 1]) + 0.114 * (a[i + 2] - b[i + 2]));
      const [size, up] = [Math.min(Math.abs(step), 127) / 127, step > 0];
      target[i] = 128 + size * (up ? 127 : -108);
      target[i + 1] = 128 + size * (up ? 22 : 12);
      target[i + 2] = 128 + size * (up ? -88 : 127);
      target[i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return new Picture([await createImageBitmap(canvas)]);
  };

  /** A grey map in colours: violet where black (all from b), orange where white (all from a). */
  app.coloured = async function (share) {
    const source = share.pixels();
    const canvas = app.el("canvas", { width: share.width, height: share.height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(share.width, share.height);
    for (let i = 0; i < source.length; i += 4) {
      const part = source[i] / 255;
      const depth = Math.abs(2 * part - 1);
      const colour = part > 0.5 ? [255, 150, 40] : [150, 90, 255];
      for (let c = 0; c < 3; c += 1) image.data[i + c] = 210 * (1 - depth) + colour[c] * depth;
      image.data[i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return new Picture([await createImageBitmap(canvas)]);
  };
})(window.polyfuse);
