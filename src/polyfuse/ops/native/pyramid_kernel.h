/* Rows of a Laplacian pyramid for one instruction set; see pyramid.c. The loops are plain: the compiler vectorises them
 * with the instructions of TARGET. */

#ifndef PYRAMID_SIZES
#define PYRAMID_SIZES
#define REACH 2 /* rows and columns on each side that the low-pass sees */
#define TAPS (2 * REACH + 1)
#define SCALE (1.0f / 256)
#define ROOM(columns) (2 * ((columns) + 2 * REACH + 2))
#define ENERGIES_ROOM(columns) (ROOM(columns) + (2 + 3 * TAPS) * (columns))
#define COMBINE_ROOM(columns) (ROOM(columns) + 5 * (columns))

static inline int64_t within(int64_t i, int64_t count) { return i < 0 ? 0 : i >= count ? count - 1 : i; }
#endif

/* Sum of five rows with weights 1, 4, 6, 4, 1, the edge repeated on both sides: `columns` + 2 REACH floats. */
static inline TARGET void NAME(sum_rows)(const float *const *rows, int64_t columns, float *restrict sums) {
  const float *restrict r0 = rows[0], *restrict r1 = rows[1], *restrict r2 = rows[2], *restrict r3 = rows[3],
                        *restrict r4 = rows[4];
  float *restrict inner = sums + REACH;
  for (int64_t i = 0; i < columns; i++) {
    const float p1 = r1[i] + r2[i], p2 = r2[i] + r3[i];
    const float q0 = (r0[i] + r1[i]) + p1, q1 = p1 + p2, q2 = p2 + (r3[i] + r4[i]);
    inner[i] = (q0 + q1) + (q1 + q2);
  }
  for (int i = 0; i < REACH; i++) sums[i] = inner[0], inner[columns + i] = inner[columns - 1];
}

/* The same along a row of such sums, scaled; of `count` pixels, `step` apart. */
static inline TARGET __attribute__((always_inline)) void NAME(sum_columns)(const float *restrict t, int64_t count,
                                                                           int64_t step, float *restrict out) {
  for (int64_t i = 0; i < count; i++) {
    const float *x = t + i * step;
    const float p1 = x[1] + x[2], p2 = x[2] + x[3];
    const float q0 = (x[0] + x[1]) + p1, q1 = p1 + p2, q2 = p2 + (x[3] + x[4]);
    out[i] = ((q0 + q1) + (q1 + q2)) * SCALE;
  }
}

static TARGET void NAME(shrink_rows)(const float *x, int64_t rows, int64_t columns, int64_t first, int64_t last,
                                     float *out, float *room) {
  const int64_t half = (columns + 1) / 2;
  for (int64_t row = first; row < last; row++) {
    const float *taps[TAPS];
    for (int i = 0; i < TAPS; i++) taps[i] = x + within(2 * row + i - REACH, rows) * columns;
    NAME(sum_rows)(taps, columns, room);
    NAME(sum_columns)(room, half, 2, out + row * half);
  }
}

static TARGET void NAME(blur_rows)(const float *x, int64_t rows, int64_t columns, int64_t first, int64_t last,
                                   float *out, float *room) {
  for (int64_t row = first; row < last; row++) {
    const float *taps[TAPS];
    for (int i = 0; i < TAPS; i++) taps[i] = x + within(row + i - REACH, rows) * columns;
    NAME(sum_rows)(taps, columns, room);
    NAME(sum_columns)(room, columns, 1, out + row * columns);
  }
}

/* Row `row` of x, (ceil(rows / 2), ceil(columns / 2)), doubled to (rows, columns). */
static inline TARGET void NAME(expand_row)(const float *x, int64_t rows, int64_t columns, int64_t row,
                                           float *restrict out, float *restrict room) {
  const int64_t height = (rows + 1) / 2, half = (columns + 1) / 2, at = row / 2;
  const float *restrict on = x + at * half, *restrict below = x + within(at + 1, height) * half;
  float *restrict v = room + 1;
  if (row % 2)
    for (int64_t i = 0; i < half; i++) v[i] = 4 * (on[i] + below[i]);
  else {
    const float *restrict above = x + within(at - 1, height) * half;
    for (int64_t i = 0; i < half; i++) v[i] = ((above[i] + on[i]) + (on[i] + below[i])) + 4 * on[i];
  }
  v[-1] = v[0], v[half] = v[half - 1];
  const float unit = 1.0f / 64;
  for (int64_t i = 0; i < columns / 2; i++) {
    const float between = v[i] + v[i + 1];
    out[2 * i] = (((v[i - 1] + v[i]) + between) + 4 * v[i]) * unit;
    out[2 * i + 1] = (4 * between) * unit;
  }
  if (columns % 2) {
    const int64_t i = half - 1;
    out[2 * i] = (((v[i - 1] + v[i]) + (v[i] + v[i + 1])) + 4 * v[i]) * unit;
  }
}

static TARGET void NAME(expand_rows)(const float *x, int64_t rows, int64_t columns, int64_t first, int64_t last,
                                     float *out, float *room) {
  for (int64_t row = first; row < last; row++) NAME(expand_row)(x, rows, columns, row, out + row * columns, room);
}

static TARGET void NAME(energies_rows)(const struct planes *p, int64_t first, int64_t last, float *const *out,
                                       float *room) {
  const int64_t columns = p->columns, half = (columns + 1) / 2;
  float *expanded = room + ROOM(columns), *products = expanded + 2 * columns; /* (3, TAPS, columns), rows in a ring */
  int64_t ready = within(2 * first - REACH, p->rows);                         /* next row whose products are not there */
  for (int64_t row = first; row < last; row++) {
    for (const int64_t until = within(2 * row + REACH, p->rows); ready <= until; ready++) {
      const float *restrict a = p->a + ready * columns, *restrict b = p->b + ready * columns;
      float *restrict low_a = expanded, *restrict low_b = expanded + columns;
      NAME(expand_row)(p->coarse_a, p->rows, columns, ready, low_a, room);
      NAME(expand_row)(p->coarse_b, p->rows, columns, ready, low_b, room);
      float *restrict squares_a = products + ready % TAPS * columns;
      float *restrict squares_b = squares_a + TAPS * columns, *restrict mixed = squares_b + TAPS * columns;
      for (int64_t i = 0; i < columns; i++) {
        const float x = a[i] - low_a[i], y = b[i] - low_b[i];
        squares_a[i] = x * x, squares_b[i] = y * y, mixed[i] = x * y;
      }
    }
    for (int plane = 0; plane < 3; plane++) {
      const float *taps[TAPS];
      for (int i = 0; i < TAPS; i++)
        taps[i] = products + (plane * TAPS + within(2 * row + i - REACH, p->rows) % TAPS) * columns;
      NAME(sum_rows)(taps, columns, room);
      NAME(sum_columns)(room, half, 2, out[plane] + row * half);
    }
  }
}

static TARGET void NAME(combine_rows)(const struct planes *p, const float *const *more, int64_t first, int64_t last,
                                      float *out, float *room) {
  const int64_t columns = p->columns;
  const float *coarse[5] = {p->coarse_a, p->coarse_b, more[0], more[1], more[2]};
  float *expanded = room + ROOM(columns);
  for (int64_t row = first; row < last; row++) {
    for (int i = 0; i < 5; i++)
      NAME(expand_row)(coarse[i], p->rows, columns, row, expanded + i * columns, room);
    const float *restrict a = p->a + row * columns, *restrict b = p->b + row * columns;
    const float *restrict low_a = expanded, *restrict low_b = low_a + columns, *restrict fused = low_b + columns;
    const float *restrict factor_a = fused + columns, *restrict factor_b = factor_a + columns;
    float *restrict made = out + row * columns;
    for (int64_t i = 0; i < columns; i++)
      made[i] = factor_a[i] * (a[i] - low_a[i]) + factor_b[i] * (b[i] - low_b[i]) + fused[i];
  }
}

#undef TARGET
#undef LANES
#undef CHANNEL_BLOCK
#undef COLUMN_BLOCK
#undef NAME
#undef USE_BF16
