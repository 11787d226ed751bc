/* Luma and chroma for one instruction set; see colour.c. The loops are plain: the compiler vectorises them with the
 * instructions of TARGET. */

/* Planes of `count` pixels in [0, 1], (3, BLOCK). */
static inline TARGET void NAME(read_planes)(const uint8_t *restrict rgb, int64_t count, float *restrict planes) {
  float *restrict red = planes, *restrict green = planes + BLOCK, *restrict blue = planes + 2 * BLOCK;
  for (int64_t i = 0; i < count; i++)
    red[i] = (float)rgb[3 * i], green[i] = (float)rgb[3 * i + 1], blue[i] = (float)rgb[3 * i + 2];
  for (int64_t i = 0; i < count; i++) red[i] /= 255.0f, green[i] /= 255.0f, blue[i] /= 255.0f;
}

static inline TARGET __attribute__((always_inline)) float NAME(full_luma)(float red, float green, float blue) {
  return (green + (float)KR * (red - green)) + (float)KB * (blue - green);
}

static inline TARGET __attribute__((always_inline)) float NAME(larger)(float x, float y) { return x > y ? x : y; }
static inline TARGET __attribute__((always_inline)) float NAME(smaller)(float x, float y) { return x < y ? x : y; }

/* 0 .. 255 of a value in [0, 1] or beyond. */
static inline TARGET __attribute__((always_inline)) uint8_t NAME(level)(float value) {
  const double within = value < 0 ? 0.0 : value > 1 ? 1.0 : (double)value;
  return (uint8_t)(int32_t)((within * 255.0 + ROUND) - ROUND);
}

static TARGET void NAME(luma_rows)(const struct picture *p, float *out, int64_t step, float *room) {
  float *restrict red = room, *restrict green = room + BLOCK, *restrict blue = room + 2 * BLOCK;
  for (int64_t row = 0; row < p->rows; row++)
    for (int64_t first = 0; first < p->columns; first += BLOCK) {
      const int64_t count = p->columns - first < BLOCK ? p->columns - first : BLOCK;
      float *restrict y = out + row * step + first;
      NAME(read_planes)(p->rgb + row * p->row_step + 3 * first, count, room);
      for (int64_t i = 0; i < count; i++) y[i] = NAME(full_luma)(red[i], green[i], blue[i]);
      if (p->studio)
        for (int64_t i = 0; i < count; i++) y[i] = y[i] * (float)STUDIO_LUMA + (float)STUDIO_BLACK;
    }
}

static TARGET int NAME(merge_rows)(const struct picture *p, const float *fused, int64_t step, uint8_t *out,
                                   float *room) {
  float *restrict red = room, *restrict green = room + BLOCK, *restrict blue = room + 2 * BLOCK;
  const double chroma = p->studio ? STUDIO_CHROMA : 1.0;
  const float to_cb = (float)(chroma / CB_SCALE), to_cr = (float)(chroma / CR_SCALE);
  const float of_cb = (float)(CB_SCALE / chroma), of_cr = (float)(CR_SCALE / chroma);
  const float green_of_red = (float)(-KR / KG), green_of_blue = (float)(-KB / KG);
  float spoilt = 0;
  for (int64_t row = 0; row < p->rows; row++)
    for (int64_t first = 0; first < p->columns; first += BLOCK) {
      const int64_t count = p->columns - first < BLOCK ? p->columns - first : BLOCK;
      const float *restrict given = fused + row * step + first;
      uint8_t *restrict pixels = out + 3 * (row * p->columns + first);
      NAME(read_planes)(p->rgb + row * p->row_step + 3 * first, count, room);
      for (int64_t i = 0; i < count; i++) spoilt += given[i] - given[i]; /* 0 unless one is infinite or no number */
      for (int64_t i = 0; i < count; i++) {
        const float before = NAME(full_luma)(red[i], green[i], blue[i]);
        float y = NAME(smaller)(NAME(larger)(given[i], 0), 1);
        if (p->studio) y = (y - (float)STUDIO_BLACK) * (float)(1 / STUDIO_LUMA);
        if (p->safe) y = NAME(smaller)(NAME(larger)(y, 0), 1);
        float of_red = ((red[i] - before) * to_cr) * of_cr, of_blue = ((blue[i] - before) * to_cb) * of_cb;
        float of_green = of_red * green_of_red + of_blue * green_of_blue;
        if (p->safe) {
          const float highest = NAME(larger)(NAME(larger)(of_red, of_green), of_blue), over = 1 - y;
          const float lowest = -NAME(smaller)(NAME(smaller)(of_red, of_green), of_blue);
          const float up = over / NAME(larger)(NAME(larger)(highest, over), FLT_MIN);
          const float factor = NAME(smaller)(up, y / NAME(larger)(NAME(larger)(lowest, y), FLT_MIN));
          of_red *= factor, of_green *= factor, of_blue *= factor;
        }
        red[i] = y + of_red, green[i] = y + of_green, blue[i] = y + of_blue;
      }
      for (int64_t i = 0; i < count; i++) {
        pixels[3 * i] = NAME(level)(red[i]);
        pixels[3 * i + 1] = NAME(level)(green[i]);
        pixels[3 * i + 2] = NAME(level)(blue[i]);
      }
    }
  return spoilt == 0;
}

#undef TARGET
#undef LANES
#undef CHANNEL_BLOCK
#undef COLUMN_BLOCK
#undef NAME
#undef USE_BF16
