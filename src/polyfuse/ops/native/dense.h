/* 3x3 or 1x1 convolution of bfloat16 maps, channels last, to 8, 16, 24, 32, 40 or 48 channels, another map added to it
 * where asked for, and a leaky rectifier after that.
 *
 * Channels go in blocks of 16. Where 8 are left, those of two neighbouring pixels share a vector, so that no lane is
 * idle, where a library that works in vectors of 16 channels multiplies zeros. Products and sums are float32. Layouts:
 *   x         (rows, columns, inputs), pixels `step` values apart, rows `row_step`
 *   weight    (side^2, inputs / 2, lanes): words of two bfloat16; lanes are the channels, the last 8 twice where there
 *             is an odd number of eights
 *   bias      (lanes), float32, likewise
 *   added     like out, or NULL
 *   out     (count, columns, channels), pixels `out_step` values apart, rows `out_row_step`
 */

#define PIXELS 8

struct dense {
  const uint16_t *x;
  int64_t rows, columns, row_step, step;
  int64_t first, count;             /* rows that are wanted */
  int64_t inputs, blocks, dilation; /* blocks of 16 outputs */
  int64_t side;                     /* of the filters, 3 or 1 */
  int half;                         /* whether 8 more come after them */
  const uint32_t *weight;
  const float *bias;
  float leak; /* what values below zero are multiplied by */
  const uint16_t *added;
  int64_t added_row_step, added_step;
  uint16_t *out;
  int64_t out_row_step, out_step;
};

INLINE __m512 leaky(__m512 v, float leak) {
  return _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), v, _mm512_set1_ps(leak));
}

/* PIXELS pixels of a row; `context` are the three rows, from the first column that is looked at. */
INLINE void convolve(const struct dense *s, const int blocks, const int half, const uint16_t *const context[3],
                     int64_t step, int64_t count, const uint16_t *added, uint16_t *out) {
  const int64_t width = 16 * (blocks + half), pairs = s->inputs / 2;
  __m512 whole[PIXELS][3], shared[PIXELS / 2];
#pragma GCC unroll 8
  for (int p = 0; p < PIXELS; p++)
#pragma GCC unroll 3
    for (int v = 0; v < blocks; v++) whole[p][v] = _mm512_loadu_ps(s->bias + 16 * v);
#pragma GCC unroll 4
  for (int p = 0; half && p < PIXELS / 2; p++) shared[p] = _mm512_loadu_ps(s->bias + 16 * blocks);
  const uint32_t *weight = s->weight;
  for (int row = 0; row < s->side; row++)
    for (int column = 0; column < s->side; column++) {
      const uint16_t *x = context[row] + column * s->dilation * step;
      for (int64_t i = 0; i < pairs; i++, x += 2, weight += width) {
        __m512bh of_whole[3];
#pragma GCC unroll 3
        for (int v = 0; v < blocks; v++) of_whole[v] = (__m512bh)_mm512_loadu_si512(weight + 16 * v);
        __m512bh of_shared;
        if (half) of_shared = (__m512bh)_mm512_loadu_si512(weight + 16 * blocks);
#pragma GCC unroll 4
        for (int p = 0; p < PIXELS; p += 2) {
          const __m512bh one = both_at(x + p * step), two = both_at(x + (p + 1) * step);
#pragma GCC unroll 3
          for (int v = 0; v < blocks; v++) {
            whole[p][v] = _mm512_dpbf16_ps(whole[p][v], of_whole[v], one);
            whole[p + 1][v] = _mm512_dpbf16_ps(whole[p + 1][v], of_whole[v], two);
          }
          if (!half) continue;
          const __m512i both = _mm512_mask_blend_epi32(0xff00, (__m512i)one, (__m512i)two);
          shared[p / 2] = _mm512_dpbf16_ps(shared[p / 2], of_shared, (__m512bh)both);
        }
      }
    }
#pragma GCC unroll 8
  for (int p = 0; p < PIXELS; p++) {
    if (p == count) return;
    uint16_t *at = out + p * s->out_step;
    const uint16_t *more = added ? added + p * s->added_step : NULL;
#pragma GCC unroll 3
    for (int v = 0; v < blocks; v++) {
      const __m512 sum = more ? _mm512_add_ps(whole[p][v], widened(0xffff, more + 16 * v)) : whole[p][v];
      narrowed(at + 16 * v, 16, leaky(sum, s->leak));
    }
    if (!half) continue;
    const __m512 both = shared[p / 2];
    __m512 sum = p % 2 ? _mm512_shuffle_f32x4(both, both, 0xee) : both;
    if (more) sum = _mm512_add_ps(sum, widened(0xff, more + 16 * blocks));
    narrowed(at + 16 * blocks, 8, leaky(sum, s->leak));
  }
}

/* How many values `dense_map` needs room for: three rows of PIXELS pixels with their context. */
static int64_t dense_room(const struct dense *s) { return 3 * (PIXELS + 2 * s->dilation) * s->inputs; }

/* The columns of `side` rows that PIXELS pixels from `left` on look at, with zeros beyond the map. */
static void gather(const struct dense *s, const uint16_t *const rows[3], int64_t left, uint16_t *room) {
  const size_t size = sizeof(uint16_t) * s->inputs;
  for (int row = 0; row < s->side; row++)
    for (int64_t j = -s->dilation; j < PIXELS + s->dilation; j++, room += s->inputs)
      if (rows[row] && left + j >= 0 && left + j < s->columns) memcpy(room, rows[row] + (left + j) * s->step, size);
      else memset(room, 0, size);
}

static TARGET_AVX512_BF16 void dense_map(const struct dense *s, uint16_t *room) {
  for (int64_t row = s->first; row < s->first + s->count; row++) {
    const uint16_t *rows[3];
    int all_there = 1;
    for (int k = 0; k < s->side; k++) {
      const int64_t at = row + (k - s->side / 2) * s->dilation;
      rows[k] = at < 0 || at >= s->rows ? NULL : s->x + at * s->row_step;
      all_there = all_there && rows[k];
    }
    for (int64_t left = 0; left < s->columns; left += PIXELS) {
      const int inside = left >= s->dilation && left + PIXELS + s->dilation <= s->columns && all_there;
      if (!inside) gather(s, rows, left, room);
      const uint16_t *context[3];
      for (int k = 0; k < s->side; k++)
        context[k] = inside ? rows[k] + (left - s->dilation) * s->step
                            : room + k * (PIXELS + 2 * s->dilation) * s->inputs;
      const int64_t step = inside ? s->step : s->inputs, count = s->columns - left;
      const int64_t at = row - s->first;
      uint16_t *out = s->out + at * s->out_row_step + left * s->out_step;
      const uint16_t *added = s->added ? s->added + at * s->added_row_step + left * s->added_step : NULL;
      switch (2 * s->blocks + s->half) { /* constants, so that the sums stay in registers */
#define CASE(blocks, half) case 2 * blocks + half: convolve(s, blocks, half, context, step, count, added, out); break;
        CASE(0, 1) CASE(1, 0) CASE(1, 1) CASE(2, 0) CASE(2, 1) CASE(3, 0)
#undef CASE
      }
    }
  }
}
