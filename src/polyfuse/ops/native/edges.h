/* |x * g| + |x * h| of bfloat16 maps, channels last, for two depthwise 3x3 filters; zeros beyond the map.
 *
 *   x        (rows, columns, channels), pixels `step` values apart, rows `row_step`
 *   weights  (2, 9, channels in whole vectors of 16), float32
 *   out    (rows, columns, channels), pixels `out_step` values apart, rows `out_row_step`
 */

struct edges {
  const uint16_t *x;
  int64_t rows, columns, row_step, step, channels;
  const float *weights;
  uint16_t *out;
  int64_t out_row_step, out_step;
};

INLINE __m512 sum_of_sizes(__m512 g, __m512 h) { return _mm512_add_ps(_mm512_abs_ps(g), _mm512_abs_ps(h)); }

/* One vector of channels of a row whose context is in `context`, NULL where there is none. Every column of the input is
 * read once and gives its share to three columns of the output. */
INLINE void edges_of_row(const struct edges *s, int64_t at, const uint16_t *const context[3], uint16_t *out) {
  const int count = lanes_of(s->channels, at);
  const int64_t lanes = (s->channels + 15) / 16 * 16;
  __m512 w[2][9], before[2], now[2], next[2];
#pragma GCC unroll 2
  for (int f = 0; f < 2; f++) {
#pragma GCC unroll 9
    for (int k = 0; k < 9; k++) w[f][k] = _mm512_loadu_ps(s->weights + (9 * f + k) * lanes + 16 * at);
    before[f] = now[f] = _mm512_setzero_ps();
  }
  for (int64_t j = 0; j <= s->columns; j++) {
    next[0] = next[1] = _mm512_setzero_ps();
#pragma GCC unroll 3
    for (int k = 0; k < 3; k++) {
      if (!context[k] || j == s->columns) continue;
      const __m512 x = widened(mask_of(count), context[k] + j * s->step + 16 * at);
#pragma GCC unroll 2
      for (int f = 0; f < 2; f++) {
        before[f] = _mm512_fmadd_ps(x, w[f][3 * k + 2], before[f]);
        now[f] = _mm512_fmadd_ps(x, w[f][3 * k + 1], now[f]);
        next[f] = _mm512_fmadd_ps(x, w[f][3 * k], next[f]);
      }
    }
    if (j > 0) narrowed(out + (j - 1) * s->out_step + 16 * at, count, sum_of_sizes(before[0], before[1]));
#pragma GCC unroll 2
    for (int f = 0; f < 2; f++) before[f] = now[f], now[f] = next[f];
  }
}

static TARGET_AVX512_BF16 void edges_of_map(const struct edges *s) {
  for (int64_t row = 0; row < s->rows; row++) {
    const uint16_t *context[3];
    for (int k = 0; k < 3; k++)
      context[k] = row + k < 1 || row + k > s->rows ? NULL : s->x + (row + k - 1) * s->row_step;
    for (int64_t at = 0; 16 * at < s->channels; at++) edges_of_row(s, at, context, s->out + row * s->out_row_step);
  }
}
