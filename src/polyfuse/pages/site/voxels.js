// Voxels: loaded from the files beside the page, unpacked, and made into pictures of slices.
"use strict";
(function (app) {
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  async function unpacked(text) {
    if (typeof DecompressionStream === "undefined") throw new Error("This browser is too old to unpack volumes: use one of 2023 or later.");
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** One volume: nothing to see until `load` is done. */
  class Voxels {
    constructor(facts, shape) {
      Object.assign(this, facts);
      this.palette = facts.palette === null ? null : bytesOf(facts.palette);
      this.shape = shape;
      this.strides = [this.channels, shape[0] * this.channels, shape[0] * shape[1] * this.channels];
      this.values = null;
      this.kept = [null, null, null]; // the last slice of each plane: {index, canvas}
    }

    load() {
      if (!this.loading) this.loading = app.contentOf(this.key).then(unpacked).then((values) => (this.values = values));
      return this.loading;
    }

    /** [red, green, blue] of the voxel at an offset. */
    colourAt(offset) {
      const level = this.values[offset];
      if (this.channels === 3) return [level, this.values[offset + 1], this.values[offset + 2]];
      return this.palette ? [...this.palette.subarray(3 * level, 3 * level + 3)] : [level, level, level];
    }

    offsetOf(place) {
      return place[0] * this.strides[0] + place[1] * this.strides[1] + place[2] * this.strides[2];
    }

    /** A slice as a canvas, one pixel to a voxel. */
    slice(plane, index) {
      const kept = this.kept[plane.axis];
      if (kept && kept.index === index) return kept.canvas;
      const [width, height] = [this.shape[plane.across], this.shape[plane.down]];
      const canvas = kept ? kept.canvas : app.el("canvas", { width, height });
      const context = canvas.getContext("2d");
      const image = context.createImageData(width, height);
      let target = 0;
      for (let row = 0; row < height; row += 1) {
        let offset = index * this.strides[plane.axis] + row * this.strides[plane.down];
        for (let column = 0; column < width; column += 1, offset += this.strides[plane.across], target += 4) {
          const level = this.values[offset];
          if (this.channels === 3) {
            image.data[target] = level;
            image.data[target + 1] = this.values[offset + 1];
            image.data[target + 2] = this.values[offset + 2];
          } else if (this.palette) {
            image.data[target] = this.palette[3 * level];
            image.data[target + 1] = this.palette[3 * level + 1];
            image.data[target + 2] = this.palette[3 * level + 2];
          } else {
            image.data[target] = image.data[target + 1] = image.data[target + 2] = level;
          }
          image.data[target + 3] = 255;
        }
      }
      context.putImageData(image, 0, 0);
      this.kept[plane.axis] = { index, canvas };
      return canvas;
    }

    /** The value of a voxel in words: of windows only what lies inside is known. */
    textAt(place) {
      const offset = this.offsetOf(place);
      if (this.channels === 3) return this.colourAt(offset).join(" ");
      const level = this.values[offset];
      if (!this.unit) return String(level);
      const value = this.low + ((this.high - this.low) * level) / 255;
      const digits = Math.min(Math.max(-Math.floor(Math.log10((this.high - this.low) / 255 || 1)), 0), 6);
      const sign = level === 0 ? "\u2264" : level === 255 ? "\u2265" : "\u2248";
      return `${sign} ${app.text(value, digits)} ${this.unit}`;
    }
  }

  app.Voxels = Voxels;
})(window.polyfuse);
