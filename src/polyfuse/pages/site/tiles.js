// Pictures of a served page: small ones whole, large ones as a reduced copy and tiles that are loaded when they are seen.
"use strict";
(function (app) {
  const MOST_TILES = 400; // of a picture, that are kept at a time; a megabyte each

  async function bitmapOf(address) {
    const image = new Image();
    image.src = address;
    try {
      await image.decode();
    } catch {
      throw new Error(`The server could not give ${address}: the file may be damaged, or the server has ended.`);
    }
    return createImageBitmap(image, { colorSpaceConversion: "none" });
  }

  class TiledPicture {
    constructor(address, width, height, level, small) {
      Object.assign(this, { address, width, height, level, small });
      this.tiles = new Map();
      this.side = app.data.served.tile;
    }

    /** A tile if it is there; else it is asked for, and `again` called when it has come. */
    tile(level, column, row, again) {
      const key = `${level}/${column}/${row}`;
      const known = this.tiles.get(key);
      if (known) {
        this.tiles.delete(key); // the last in the map is the one used last
        this.tiles.set(key, known);
        return known.bitmap;
      }
      const entry = { bitmap: null };
      this.tiles.set(key, entry);
      if (this.tiles.size > MOST_TILES) this.tiles.delete(this.tiles.keys().next().value);
      bitmapOf(`${this.address}/${key}`).then(
        (bitmap) => {
          entry.bitmap = bitmap;
          again();
        },
        () => this.tiles.delete(key),
      );
      return null;
    }

    draw(context, scale, again) {
      context.drawImage(this.small.levels[0], 0, 0, this.width, this.height);
      let level = 0;
      while (level < this.level && scale * 2 ** (level + 1) <= 1) level += 1;
      if (level >= this.level) return; // the reduced copy is fine enough
      const { a, e, f } = context.getTransform();
      const [step, canvas] = [this.side * 2 ** level, context.canvas];
      const first = (offset) => Math.max(0, Math.floor(-offset / a / step));
      const last = (offset, size, all) => Math.min(Math.ceil(all / step) - 1, Math.floor((size - offset) / a / step));
      for (let row = first(f); row <= last(f, canvas.height, this.height); row += 1) {
        for (let column = first(e); column <= last(e, canvas.width, this.width); column += 1) {
          const bitmap = this.tile(level, column, row, again);
          const [x, y] = [column * step, row * step];
          if (bitmap) {
            context.drawImage(bitmap, x, y, Math.min(step, this.width - x), Math.min(step, this.height - y));
          }
        }
      }
    }

    pixel(x, y) {
      const bitmap = this.tile(0, Math.floor(x / this.side), Math.floor(y / this.side), () => {});
      if (bitmap) return app.pixelOf(bitmap, x % this.side, y % this.side);
      const { width, height } = this.small; // until the tile has come
      return this.small.pixel(Math.floor((x * width) / this.width), Math.floor((y * height) / this.height));
    }

    pixels() {
      return this.small.pixels();
    }
  }

  app.loadServed = async function (key) {
    const [, collection, number, slot] = key.match(/^(\d+)-(\d+)\/(.+)$/);
    const pair = app.data.collections[Number(collection)].pairs[Number(number)];
    const address = `${app.data.root}/${key}`;
    const small = new app.Picture([await bitmapOf(address)]);
    if (pair.level === 0 || slot.includes("-")) return small;
    return new TiledPicture(address, pair.width, pair.height, pair.level, small);
  };
})(window.polyfuse);
