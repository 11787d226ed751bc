/* Exchange and messages of SMFNet's graph for a range of pixels, written once over vectors of LANES floats.
 *
 * Included by graph.h for each instruction set, with what each_set.h lists; CHANNEL_BLOCK divides GROUP, COLUMN_BLOCK
 * divides TILE / LANES. Layouts are described in graph.h. Within a tile a map is (channels, TILE).
 */

#include "vectors.h"

#if USE_BF16
typedef uint16_t NAME(value);
static inline TARGET float NAME(read)(uint16_t value) {
  const uint32_t bits = (uint32_t)value << 16;
  float wide;
  memcpy(&wide, &bits, 4);
  return wide;
}
#define WORDS(channels) ((channels) / 2)
#else
typedef float NAME(value);
#define WORDS(channels) (channels)
#endif

#if USE_BF16 /* relative error below 1.4e-4, where rounding to bfloat16 has up to 2e-3 */
static inline TARGET __attribute__((always_inline)) VF NAME(sigmoid)(VF t) {
  const __m512 y = _mm512_mul_ps((__m512)t, _mm512_set1_ps(-1.44269504088896341f));
  const __m512 n = _mm512_roundscale_ps(y, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const VF f = (VF)_mm512_sub_ps(y, n);
  VF p = SPLAT(5.5171557e-2f); /* 2^f on [-1/2, 1/2], largest relative error 7.5e-5 */
  p = p * f + SPLAT(2.4261107e-1f);
  p = p * f + SPLAT(6.9326097e-1f);
  p = p * f + SPLAT(9.9992806e-1f);
  return (VF)_mm512_rcp14_ps(_mm512_add_ps(_mm512_scalef_ps((__m512)p, n), _mm512_set1_ps(1.0f)));
}
#else
static inline TARGET __attribute__((always_inline)) VF NAME(sigmoid)(VF t) {
  return RECIPROCAL(SPLAT(1.0f) + NAME(exp_neg)(NAME(clamp)(t)));
}
#endif

/* Channels of a tile as operands of a product: two of them as a pair of bfloat16, or as they are. */
static TARGET void NAME(pack)(const float *values, int64_t channels, WORD *words) {
#if USE_BF16
  NAME(pack_pairs)(values, channels, TILE, words);
#else
  memcpy(words, values, sizeof(float) * channels * TILE);
#endif
}

/* `count` pixels of a map, rectified, into a tile; zeros after them. */
static TARGET void NAME(read_tile)(const NAME(value) * source, int64_t channels, int64_t count, float *tile) {
  if (count < TILE) memset(tile, 0, sizeof(float) * channels * TILE);
#if USE_BF16
  if (count == TILE) { /* pairs of channels of LANES pixels at a time */
    const __m512i at = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                          _mm512_set1_epi32((int)channels / 2));
    const __m512 zero = _mm512_setzero_ps();
    for (int p = 0; p < TILE; p += LANES)
      for (int64_t c = 0; c < channels; c += 2) {
        const __m512i pair = _mm512_i32gather_epi32(at, source + p * channels + c, 4);
        const __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16));
        const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(pair, _mm512_set1_epi32((int)0xffff0000)));
        _mm512_storeu_ps(tile + c * TILE + p, _mm512_max_ps(even, zero));
        _mm512_storeu_ps(tile + (c + 1) * TILE + p, _mm512_max_ps(odd, zero));
      }
    return;
  }
  for (int64_t p = 0; p < count; p++)
    for (int64_t c = 0; c < channels; c++) {
      const float value = NAME(read)(source[p * channels + c]);
      tile[c * TILE + p] = value > 0 ? value : 0;
    }
#else
  for (int64_t p = 0; p < count; p++)
    for (int64_t c = 0; c < channels; c++) {
      const float value = source[p * channels + c];
      tile[c * TILE + p] = value > 0 ? value : 0;
    }
#endif
}

/* `count` pixels of a tile into a map whose pixels are `stride` values apart. */
static TARGET void NAME(write_tile)(const float *tile, int64_t channels, int64_t count, int64_t stride,
                                    NAME(value) * out) {
#if USE_BF16
  uint32_t pairs[MAX_CHANNELS / 2 * TILE] __attribute__((aligned(64)));
  NAME(pack)(tile, channels, pairs);
  for (int64_t p = 0; p < count; p++)
    for (int64_t i = 0; i < channels / 2; i++) memcpy(out + p * stride + 2 * i, pairs + i * TILE + p, 4);
#else
  for (int64_t p = 0; p < count; p++)
    for (int64_t c = 0; c < channels; c++) out[p * stride + c] = tile[c * TILE + p];
#endif
}

/* CHANNEL_BLOCK outputs by COLUMN_BLOCK vectors; out of line, so that every accumulator stays in a register. */
static TARGET __attribute__((noinline)) void NAME(product_block)(const WORD *w, const float *bias, const float *x,
                                                                 int64_t depth, float *out) {
  VF acc[CHANNEL_BLOCK][COLUMN_BLOCK];
#pragma GCC unroll 8
  for (int i = 0; i < CHANNEL_BLOCK; i++)
#pragma GCC unroll 8
    for (int j = 0; j < COLUMN_BLOCK; j++) acc[i][j] = SPLAT(bias[i]);
  for (int64_t k = 0; k < depth; k++, w += GROUP, x += TILE) {
    VF v[COLUMN_BLOCK];
#pragma GCC unroll 8
    for (int j = 0; j < COLUMN_BLOCK; j++) v[j] = LOAD(x + j * LANES);
#pragma GCC unroll 8
    for (int i = 0; i < CHANNEL_BLOCK; i++)
#pragma GCC unroll 8
      for (int j = 0; j < COLUMN_BLOCK; j++) acc[i][j] = MAC(acc[i][j], v[j], w[i]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < CHANNEL_BLOCK; i++)
#pragma GCC unroll 8
    for (int j = 0; j < COLUMN_BLOCK; j++) STORE(out + i * TILE + j * LANES, acc[i][j]);
}

/* Weights (outputs / GROUP, depth, GROUP) times a tile of operands, plus bias. */
static TARGET void NAME(product)(const WORD *w, const float *bias, const WORD *x, int64_t depth, int64_t outputs,
                                 float *out) {
  for (int64_t o = 0; o < outputs; o += GROUP, w += depth * GROUP)
    for (int i = 0; i < GROUP; i += CHANNEL_BLOCK)
      for (int column = 0; column < TILE; column += COLUMN_BLOCK * LANES)
        NAME(product_block)(w + i, bias + o + i, (const float *)x + column, depth, out + (o + i) * TILE + column);
}

/* Each node of a takes from that of b what its gate lets through, and the other way round. */
static TARGET void NAME(exchange)(const struct graph *g, float *a, float *b) {
  const float *weight_a = g->exchange, *weight_b = g->exchange + g->channels;
  for (int p = 0; p < TILE; p += LANES) {
    VF score_a = SPLAT(0.0f), score_b = SPLAT(0.0f);
    for (int64_t c = 0; c < g->channels; c++) {
      const VF difference = LOAD(b + c * TILE + p) - LOAD(a + c * TILE + p);
      score_a += difference * SPLAT(weight_a[c]), score_b += difference * SPLAT(weight_b[c]);
    }
    const VF gate_a = NAME(sigmoid)(score_a), gate_b = NAME(sigmoid)(score_b);
    for (int64_t c = 0; c < g->channels; c++) {
      const VF x = LOAD(a + c * TILE + p), y = LOAD(b + c * TILE + p);
      STORE(a + c * TILE + p, x + y * gate_a);
      STORE(b + c * TILE + p, y + x * gate_b);
    }
  }
}

/* What weighs a node in the scores of the edges to its first and to its second neighbour, (2, TILE). */
static TARGET void NAME(score)(const float *node, const float *edges, int64_t channels, float *scores) {
  for (int p = 0; p < TILE; p += LANES) {
    VF first = SPLAT(0.0f), second = SPLAT(0.0f);
    for (int64_t c = 0; c < channels; c++) {
      const VF x = LOAD(node + c * TILE + p);
      first += x * SPLAT(edges[c]), second += x * SPLAT(edges[channels + c]);
    }
    STORE(scores + p, first);
    STORE(scores + TILE + p, second);
  }
}

/* What a node gets from its two neighbours, given the scores of all three. */
static TARGET void NAME(message)(const float *first, const float *second, const float *own, const float *of_first,
                                 const float *of_second, int64_t channels, int by_parity, float *out) {
  for (int p = 0; p < TILE; p += LANES) {
    const VF edge1 = NAME(sigmoid)(LOAD(own + p) - LOAD(of_first + p));
    const VF edge2 = NAME(sigmoid)(LOAD(own + TILE + p) - LOAD(of_second + TILE + p));
    for (int64_t c = 0; c < channels; c++) {
      const VF x = LOAD(first + c * TILE + p), y = LOAD(second + c * TILE + p);
      /* official: edge c mod 2 weighs channel c of either neighbour; paper: each neighbour has its own */
      STORE(out + c * TILE + p, by_parity ? (x + y) * (c % 2 ? edge2 : edge1) : x * edge1 + y * edge2);
    }
  }
}

/* All messages among three nodes (NODES, channels, TILE) of one source, each updated from the old values of all. */
static TARGET void NAME(pass_messages)(const struct passing *how, int64_t channels, float *nodes) {
  const int64_t size = channels * TILE, words = WORDS(channels);
  float scores[NODES][2 * TILE] __attribute__((aligned(64)));
  float renewed[NODES * MAX_CHANNELS * TILE] __attribute__((aligned(64)));
  float gates[2 * MAX_CHANNELS * TILE] __attribute__((aligned(64)));
  float work[MAX_CHANNELS * TILE] __attribute__((aligned(64)));
  WORD operands[2 * MAX_CHANNELS * TILE] __attribute__((aligned(64)));
  for (int turn = 0; turn < how->iterations; turn++) {
    for (int n = 0; n < NODES; n++) NAME(score)(nodes + n * size, how->edges, channels, scores[n]);
    for (int n = 0; n < NODES; n++) {
      const int first = n == 0 ? 1 : 0, second = n == NODES - 1 ? 1 : 2;
      const float *node = nodes + n * size;
      NAME(message)
      (nodes + first * size, nodes + second * size, scores[n], scores[first], scores[second], channels, how->by_parity,
       work);
      NAME(pack)(work, channels, operands);
      NAME(pack)(node, channels, operands + words * TILE);
      NAME(product)(how->gates, how->gate_bias, operands, 2 * words, 2 * channels, gates);
      for (int64_t i = 0; i < size; i += LANES) STORE(work + i, NAME(sigmoid)(LOAD(gates + i)) * LOAD(node + i));
      NAME(pack)(work, channels, operands + words * TILE);
      NAME(product)(how->candidate, how->candidate_bias, operands, 2 * words, channels, work);
      for (int64_t i = 0; i < size; i += LANES) {
        const VF x = LOAD(node + i), update = NAME(sigmoid)(LOAD(gates + size + i));
        const VF candidate = SPLAT(2.0f) * NAME(sigmoid)(LOAD(work + i)) - SPLAT(1.0f);
        STORE(renewed + n * size + i, x + SPLAT(how->gamma) * (x + update * (candidate - x)));
      }
    }
    memcpy(nodes, renewed, sizeof(float) * NODES * size);
  }
}

static TARGET void NAME(graph_reason)(const struct graph *g, int64_t first, int64_t last) {
  const int64_t channels = g->channels, size = channels * TILE;
  float nodes[2 * NODES * MAX_CHANNELS * TILE] __attribute__((aligned(64)));
  for (int64_t at = first; at < last; at += TILE) {
    const int64_t count = last - at < TILE ? last - at : TILE;
    for (int n = 0; n < 2 * NODES; n++)
      NAME(read_tile)((const NAME(value) *)g->nodes[n] + at * channels, channels, count, nodes + n * size);
    for (int round = 0; round < g->rounds; round++)
      for (int n = 0; n < NODES; n++) NAME(exchange)(g, nodes + n * size, nodes + (NODES + n) * size);
    for (int s = 0; s < 2; s++) {
      float *own = nodes + s * NODES * size;
      NAME(value) *out = (NAME(value) *)g->out[s] + at * NODES * channels;
      NAME(pass_messages)(&g->passing[s], channels, own);
      for (int n = 0; n < NODES; n++)
        NAME(write_tile)(own + n * size, channels, count, NODES * channels, out + n * channels);
    }
  }
}

#undef WORDS
#include "vectors_end.h"
