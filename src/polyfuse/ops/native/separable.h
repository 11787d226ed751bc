/* One block of a 1x1, a depthwise 3x3 and another 1x1 convolution on bfloat16 maps, channels last, row by row.
 *
 * Three rows of the wide map between them are all that ever exists of it, BLOCK columns at a time, so that they stay in
 * the nearest cache. Products and sums are float32; the wide map and the result are rounded to bfloat16. Layouts, each
 * lane count being the channels rounded up to a multiple of 16, with zeros there:
 *   x            (rows, columns, inputs), any steps if there is no norm, contiguous pixels else
 *   expand       (inputs / 2, lanes of `middle`): words of two bfloat16
 *   mix          (9, lanes of `middle`), float32
 *   reduce       (middle / 2, lanes of `outputs`), likewise words; without it the depthwise convolution is the last
 *   biases       (lanes), float32
 *   out        (count, columns, outputs), contiguous
 */

#define BLOCK 64
enum activation { NONE, RELU6, GELU };

struct separable {
  const uint16_t *x;
  int64_t rows, columns, row_step, step;
  int64_t first, count; /* rows that are wanted */
  int64_t inputs, middle, outputs;
  const float *norm_weight, *norm_bias; /* or NULL */
  float epsilon;
  const uint32_t *expand, *reduce;
  const float *expand_bias, *mix, *mix_bias, *reduce_bias;
  int activations[3];
  int reflect;  /* whether the wide map is mirrored around its border, where zeros are otherwise */
  int residual; /* whether x and its norm are added to the result */
  uint16_t *out;
};

/* x times the normal distribution of x, within 1e-4 of it: that is 1 / (1 + 2^y), y odd in x and cut off beyond 6. */
INLINE __m512 gelu(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-6.0f));
  const __m512 t = _mm512_min_ps(x, _mm512_set1_ps(6.0f));
  const __m512 s = _mm512_mul_ps(t, t);
  __m512 y = _mm512_fmadd_ps(s, _mm512_set1_ps(1.01426343e-3f), _mm512_set1_ps(-1.06775726e-1f));
  y = _mm512_mul_ps(t, _mm512_fmadd_ps(s, y, _mm512_set1_ps(-2.30112134f)));
  return _mm512_mul_ps(x, _mm512_rcp14_ps(_mm512_add_ps(power_of_two(y), _mm512_set1_ps(1.0f))));
}

INLINE __m512 activated(__m512 v, int activation) {
  if (activation == RELU6) return _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(6.0f));
  return activation == GELU ? gelu(v) : v;
}

struct pointwise {
  const uint32_t *weight;
  const float *bias;
  int64_t inputs, lanes, outputs; /* outputs that are stored */
  int activation;
};

/* `vectors` vectors of outputs of `pixels` pixels; adds `more` and `still_more` to them where those are given. */
INLINE void multiply(const struct pointwise *w, int64_t at, const int vectors, const int pixels, const uint16_t *x,
                     int64_t step, const uint16_t *more, const uint16_t *still_more, int64_t more_step, uint16_t *out,
                     int64_t out_step) {
  __m512 sums[8][5];
#pragma GCC unroll 8
  for (int p = 0; p < pixels; p++)
#pragma GCC unroll 5
    for (int v = 0; v < vectors; v++) sums[p][v] = _mm512_loadu_ps(w->bias + 16 * (at + v));
  for (int64_t i = 0; i < w->inputs / 2; i++) {
    __m512bh weights[5];
#pragma GCC unroll 5
    for (int v = 0; v < vectors; v++)
      weights[v] = (__m512bh)_mm512_loadu_si512(w->weight + i * w->lanes + 16 * (at + v));
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) {
      const __m512bh both = both_at(x + p * step + 2 * i);
#pragma GCC unroll 5
      for (int v = 0; v < vectors; v++) sums[p][v] = _mm512_dpbf16_ps(sums[p][v], weights[v], both);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < pixels; p++)
#pragma GCC unroll 5
    for (int v = 0; v < vectors; v++) {
      const int count = lanes_of(w->outputs, at + v);
      __m512 y = activated(sums[p][v], w->activation);
      if (more) {
        y = _mm512_add_ps(y, widened(mask_of(count), more + p * more_step + 16 * (at + v)));
        y = _mm512_add_ps(y, widened(mask_of(count), still_more + p * more_step + 16 * (at + v)));
      }
      narrowed(out + p * out_step + 16 * (at + v), count, y);
    }
}

static TARGET_AVX512_BF16 void apply_pointwise(const struct pointwise *w, int64_t pixels, const uint16_t *x,
                                               int64_t step, const uint16_t *more, const uint16_t *still_more,
                                               int64_t more_step, uint16_t *out, int64_t out_step) {
  const int64_t vectors = w->lanes / 16;
  for (int64_t at = 0; at < vectors;) {
    const int64_t left = vectors - at, now = left > 5 ? 4 : left;
    int64_t p = 0;
#define AT(q, s) ((q) ? (q) + p * (s) : NULL)
#define MANY(v, n) \
  for (; p + n <= pixels; p += n) \
    multiply(w, at, v, n, x + p * step, step, AT(more, more_step), AT(still_more, more_step), more_step, \
             out + p * out_step, out_step);
    switch (now) { /* constants, so that the sums stay in registers */
      case 1: MANY(1, 8) MANY(1, 1) break;
      case 2: MANY(2, 8) MANY(2, 1) break;
      case 3: MANY(3, 6) MANY(3, 1) break;
      case 4: MANY(4, 5) MANY(4, 1) break;
      case 5: MANY(5, 4) MANY(5, 1) break;
    }
#undef MANY
#undef AT
    at += now;
  }
}

/* Depthwise 3x3 convolution of `vectors` vectors of channels, all `columns` of a row; `context` is the row above, the
 * row itself and the one below. Every column of the input is read once and gives its share to three of the output. */
INLINE void slide(const struct separable *s, int64_t lanes, int64_t at, const int vectors,
                  const uint16_t *const context[3], int64_t columns, uint16_t *out, int64_t out_step, int64_t stored) {
  __m512 weights[2][9], bias[2], before[2], now[2];
  int count[2];
#pragma GCC unroll 2
  for (int v = 0; v < vectors; v++) {
#pragma GCC unroll 9
    for (int k = 0; k < 9; k++) weights[v][k] = _mm512_loadu_ps(s->mix + k * lanes + 16 * (at + v));
    bias[v] = before[v] = now[v] = _mm512_loadu_ps(s->mix_bias + 16 * (at + v));
    count[v] = lanes_of(stored, at + v);
  }
  for (int64_t j = 0; j < columns + 2; j++) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) {
      __m512 next = bias[v];
#pragma GCC unroll 3
      for (int k = 0; k < 3; k++) {
        const __m512 x = widened(0xffff, context[k] + j * lanes + 16 * (at + v));
        before[v] = _mm512_fmadd_ps(x, weights[v][3 * k + 2], before[v]);
        now[v] = _mm512_fmadd_ps(x, weights[v][3 * k + 1], now[v]);
        next = _mm512_fmadd_ps(x, weights[v][3 * k], next);
      }
      if (j >= 2) narrowed(out + (j - 2) * out_step + 16 * (at + v), count[v], activated(before[v], s->activations[1]));
      before[v] = now[v], now[v] = next;
    }
  }
}

/* Row `row` of the wide map for the columns from `left` to before `right`, one more on either side, into `wide`; what
 * the norm makes of x goes to `core`. */
static TARGET_AVX512_BF16 void widen(const struct separable *s, const struct pointwise *expand, int64_t row,
                                     int64_t left, int64_t right, uint16_t *core, uint16_t *wide) {
  const int64_t lanes = expand->lanes, size = sizeof(uint16_t) * lanes;
  const int64_t from = left > 0 ? left - 1 : 0, to = right < s->columns ? right + 1 : s->columns;
  const uint16_t *x = s->x + row * s->row_step + from * s->step;
  uint16_t *at = wide + (from - left + 1) * lanes;
  int64_t step = s->step;
  if (s->norm_weight) {
    core += (from - left + 1) * s->inputs;
    norm_pixels(x, to - from, s->inputs, s->norm_weight, s->norm_bias, s->epsilon, core);
    x = core, step = s->inputs;
  }
  apply_pointwise(expand, to - from, x, step, NULL, NULL, 0, at, lanes);
  uint16_t *before = wide, *after = wide + (right - left + 1) * lanes;
  if (left == 0 && !s->reflect) memset(before, 0, size);
  if (left == 0 && s->reflect) memcpy(before, wide + (s->columns > 1 ? 2 : 1) * lanes, size);
  if (right == s->columns && !s->reflect) memset(after, 0, size);
  if (right == s->columns && s->reflect) memcpy(after, after - (s->columns > 1 ? 2 : 1) * lanes, size);
}

/* Columns from `left` to before `right` of all rows that are wanted; `room` has `separable_room` values. */
static TARGET_AVX512_BF16 void separable_block(const struct separable *s, int64_t left, int64_t right, uint16_t *room) {
  const int64_t lanes = (s->middle + 15) / 16 * 16, columns = right - left, wide_size = (BLOCK + 2) * lanes;
  const struct pointwise expand = {s->expand, s->expand_bias, s->inputs, lanes, lanes, s->activations[0]};
  const struct pointwise reduce = {s->reduce,  s->reduce_bias,   s->middle, (s->outputs + 15) / 16 * 16,
                                   s->outputs, s->activations[2]};
  const int64_t core_size = (BLOCK + 2) * s->inputs;
  uint16_t *wide[3] = {room, room + wide_size, room + 2 * wide_size}, *zeros = room + 3 * wide_size;
  uint16_t *mixed = room + 4 * wide_size, *core = room + 5 * wide_size; /* of three rows each, as `wide` */
  memset(zeros, 0, sizeof(uint16_t) * wide_size);
  int64_t next = s->first > 0 ? s->first - 1 : 0;
  for (int64_t row = s->first; row < s->first + s->count; row++) {
    for (; next < s->rows && next <= row + 1; next++)
      widen(s, &expand, next, left, right, core + next % 3 * core_size, wide[next % 3]);
    const uint16_t *context[3];
    for (int k = 0; k < 3; k++) {
      int64_t at = row + k - 1;
      const int outside = at < 0 || at >= s->rows;
      if (outside) at = s->rows == 1 ? 0 : at < 0 ? 1 : s->rows - 2;
      context[k] = outside && !s->reflect ? zeros : wide[at % 3];
    }
    uint16_t *out = s->out + ((row - s->first) * s->columns + left) * s->outputs;
    uint16_t *into = s->reduce ? mixed : out;
    const int64_t into_step = s->reduce ? lanes : s->outputs, stored = s->reduce ? lanes : s->outputs;
    for (int64_t at = 0; at < lanes / 16; at += 2)
      if (at + 2 <= lanes / 16) slide(s, lanes, at, 2, context, columns, into, into_step, stored);
      else slide(s, lanes, at, 1, context, columns, into, into_step, stored);
    if (!s->reduce) continue;
    const uint16_t *x = s->x + row * s->row_step + left * s->step;
    const uint16_t *own = core + row % 3 * core_size + s->inputs;
    apply_pointwise(&reduce, columns, mixed, lanes, s->residual ? own : NULL, s->residual ? x : NULL, s->inputs, out,
                    s->outputs);
  }
}

/* How many values `separable_block` needs room for. */
static int64_t separable_room(const struct separable *s) {
  return (BLOCK + 2) * (5 * ((s->middle + 15) / 16 * 16) + 3 * s->inputs);
}

static TARGET_AVX512_BF16 void separable_map(const struct separable *s, uint16_t *room) {
  for (int64_t left = 0; left < s->columns; left += BLOCK)
    separable_block(s, left, left + BLOCK < s->columns ? left + BLOCK : s->columns, room);
}
