/* Attention of many queries to few keys, bfloat16: what each query gets is added to what is there already.
 *
 *   out[q] += softmax over keys of (query[q] . key) times value, for each head
 *
 * Products and sums are float32, probabilities are rounded to bfloat16 before they weigh the values. Layouts, `lanes`
 * being the keys rounded up to a multiple of 32, with zeros there:
 *   query     (count, heads, width), queries `query_step` values apart; width is a multiple of 16
 *   key       (heads, width / 2, lanes): words of two bfloat16
 *   value     (heads, lanes / 2, outputs): words of two bfloat16, of two keys; outputs are a multiple of 16
 *   out     (count, outputs), `out_step` values apart, and `head_step` from one head to the next
 */

#define QUERIES 8
#define LOG2_E 1.44269504f
#define SHORTEST 1e-12f /* length by which a query is divided at least */

struct attention {
  const uint16_t *query;
  int64_t count, query_step;
  int64_t heads, width, keys, outputs;
  const uint32_t *key, *value;
  int unit; /* whether queries are brought to unit length */
  uint16_t *out;
  int64_t out_step, head_step;
};

INLINE int64_t key_lanes(const struct attention *s) { return (s->keys + 31) / 32 * 32; }

/* Products of `queries` queries with all keys, and the largest of each. */
INLINE void score(const struct attention *s, const int queries, const uint16_t *query, const uint32_t *key,
                  float *scores, float *largest) {
  const int64_t lanes = key_lanes(s);
  const __m512 none = _mm512_set1_ps(-INFINITY);
  __m512 most[QUERIES];
#pragma GCC unroll 8
  for (int p = 0; p < queries; p++) most[p] = none;
  for (int64_t at = 0; at < lanes; at += 32) {
    __m512 sums[QUERIES][2];
#pragma GCC unroll 8
    for (int p = 0; p < queries; p++) sums[p][0] = sums[p][1] = _mm512_setzero_ps();
    for (int64_t i = 0; i < s->width / 2; i++) {
      const __m512bh one = (__m512bh)_mm512_loadu_si512(key + i * lanes + at);
      const __m512bh two = (__m512bh)_mm512_loadu_si512(key + i * lanes + at + 16);
#pragma GCC unroll 8
      for (int p = 0; p < queries; p++) {
        const __m512bh x = both_at(query + p * s->query_step + 2 * i);
        sums[p][0] = _mm512_dpbf16_ps(sums[p][0], one, x);
        sums[p][1] = _mm512_dpbf16_ps(sums[p][1], two, x);
      }
    }
    const int64_t left = s->keys - at;
    const __mmask16 first = left >= 16 ? 0xffff : mask_of((int)left);
    const __mmask16 second = left >= 32 ? 0xffff : left > 16 ? mask_of((int)left - 16) : 0;
#pragma GCC unroll 8
    for (int p = 0; p < queries; p++) {
      const __m512 one = _mm512_mask_mov_ps(none, first, sums[p][0]);
      const __m512 two = _mm512_mask_mov_ps(none, second, sums[p][1]);
      _mm512_storeu_ps(scores + p * lanes + at, one);
      _mm512_storeu_ps(scores + p * lanes + at + 16, two);
      most[p] = _mm512_max_ps(most[p], _mm512_max_ps(one, two));
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < queries; p++) largest[p] = _mm512_reduce_max_ps(most[p]);
}

/* What the scores of a query are multiplied by. */
INLINE float scale_of(const struct attention *s, const uint16_t *query) {
  if (!s->unit) return 1.0f;
  __m512 squares = _mm512_setzero_ps();
  for (int64_t i = 0; i < s->width; i += 16) {
    const __m512 x = widened(0xffff, query + i);
    squares = _mm512_fmadd_ps(x, x, squares);
  }
  const float length = __builtin_sqrtf(_mm512_reduce_add_ps(squares));
  return 1.0f / (length > SHORTEST ? length : SHORTEST);
}

/* 2^((score - most) factor), of which what is tiny counts as 2^-126. */
INLINE __m512 power_below(__m512 score, __m512 most, __m512 factor) {
  return power_of_two(_mm512_max_ps(_mm512_mul_ps(_mm512_sub_ps(score, most), factor), _mm512_set1_ps(-126.0f)));
}

/* Scores of one query as powers, bfloat16 in their place; returns one over their sum. */
INLINE float weigh(const struct attention *s, float *scores, float largest, float scale) {
  const int64_t lanes = key_lanes(s);
  const __m512 most = _mm512_set1_ps(largest), factor = _mm512_set1_ps(scale * LOG2_E);
  uint16_t *powers = (uint16_t *)scores;
  __m512 sum = _mm512_setzero_ps();
  for (int64_t at = 0; at < lanes; at += 32) {
    const __m512 one = power_below(_mm512_loadu_ps(scores + at), most, factor);
    const __m512 two = power_below(_mm512_loadu_ps(scores + at + 16), most, factor);
    sum = _mm512_add_ps(sum, _mm512_add_ps(one, two));
    _mm512_storeu_si512(powers + at, (__m512i)_mm512_cvtne2ps_pbh(two, one));
  }
  return 1.0f / _mm512_reduce_add_ps(sum);
}

/* Add to `vectors` vectors of outputs what `queries` queries get. */
INLINE void gather_values(const struct attention *s, const int queries, const int vectors, const uint32_t *value,
                          const float *scores, const float *shares, uint16_t *out) {
  const int64_t lanes = key_lanes(s);
  __m512 sums[QUERIES][2];
#pragma GCC unroll 8
  for (int p = 0; p < queries; p++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) sums[p][v] = _mm512_setzero_ps();
  for (int64_t i = 0; i < lanes / 2; i++) {
    __m512bh values[2];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) values[v] = (__m512bh)_mm512_loadu_si512(value + i * s->outputs + 16 * v);
#pragma GCC unroll 8
    for (int p = 0; p < queries; p++) {
      const __m512bh x = both_at((const uint16_t *)(scores + p * lanes) + 2 * i);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) sums[p][v] = _mm512_dpbf16_ps(sums[p][v], values[v], x);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < queries; p++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) {
      uint16_t *at = out + p * s->out_step + 16 * v;
      narrowed(at, 16, _mm512_fmadd_ps(sums[p][v], _mm512_set1_ps(shares[p]), widened(0xffff, at)));
    }
}

/* `queries` queries and one head; `scores` has room for QUERIES rows. */
INLINE void attend(const struct attention *s, int64_t head, const int queries, int64_t from, float *scores) {
  const int64_t lanes = key_lanes(s);
  const uint16_t *query = s->query + from * s->query_step + head * s->width;
  const uint32_t *value = s->value + head * (lanes / 2) * s->outputs;
  uint16_t *out = s->out + from * s->out_step + head * s->head_step;
  float largest[QUERIES], shares[QUERIES];
  score(s, queries, query, s->key + head * (s->width / 2) * lanes, scores, largest);
  for (int p = 0; p < queries; p++)
    shares[p] = weigh(s, scores + p * lanes, largest[p], scale_of(s, query + p * s->query_step));
  int64_t v = 0;
  for (; v + 32 <= s->outputs; v += 32) gather_values(s, queries, 2, value + v, scores, shares, out + v);
  if (v < s->outputs) gather_values(s, queries, 1, value + v, scores, shares, out + v);
}

/* How many floats `attend_all` needs room for. */
static int64_t attention_room(const struct attention *s) { return QUERIES * ((s->keys + 31) / 32 * 32); }

static TARGET_AVX512_BF16 void attend_all(const struct attention *s, float *room) {
  int64_t from = 0;
  for (; from + QUERIES <= s->count; from += QUERIES)
    for (int64_t head = 0; head < s->heads; head++) attend(s, head, QUERIES, from, room);
  for (; from < s->count; from++)
    for (int64_t head = 0; head < s->heads; head++) attend(s, head, 1, from, room);
}
