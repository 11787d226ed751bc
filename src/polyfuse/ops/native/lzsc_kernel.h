/* One sparse-coding step on a band of rows, written once over vectors of LANES floats.
 *
 * Included by lzsc.c for each instruction set, with what each_set.h lists; CHANNEL_BLOCK divides CHANNEL_GROUP,
 * COLUMN_BLOCK divides TILE / LANES. Layouts are described in lzsc.c.
 */

#if LANES == 16
#define SHIFT_BLOCK 9 /* kernel columns held in registers while reducing (divides KERNEL) */
#else
#define SHIFT_BLOCK 3
#endif

#include "vectors.h"

/* sign(v) (|v| - shrunk) / (1 + exp(-steepness (|v| - theta))), zero at zero. */
static inline TARGET __attribute__((always_inline)) VF NAME(threshold)(VF v, const struct threshold *th) {
  const VI sign_bit = (VI){0} + INT32_MIN;
  VI sign = (VI)v & sign_bit;
  VF magnitude = (VF)((VI)v & ~sign_bit);
  VF t = (magnitude - SPLAT(th->theta)) * SPLAT(th->steepness);
  VF gated = (magnitude - SPLAT(th->shrunk)) * RECIPROCAL(SPLAT(1.0f) + NAME(exp_neg)(NAME(clamp)(t)));
  VI nonzero = magnitude != SPLAT(0.0f);
  return (VF)(((VI)gated ^ sign) & nonzero);
}

/* CHANNEL_BLOCK channels by COLUMN_BLOCK vectors: sums over all taps of weight * plane. Kept out of line, so that every
 * accumulator stays in a register. */
static TARGET __attribute__((noinline)) void NAME(expand_block)(const float *const *taps, int count, int64_t at,
                                                                const WORD *w, float *out) {
  VF acc[CHANNEL_BLOCK][COLUMN_BLOCK] = {{{0}}};
  for (int t = 0; t < count; t++, w += CHANNEL_GROUP) {
    const float *source = taps[t] + at;
    VF x[COLUMN_BLOCK];
#pragma GCC unroll 8
    for (int j = 0; j < COLUMN_BLOCK; j++) x[j] = LOAD(source + j * LANES);
#pragma GCC unroll 8
    for (int i = 0; i < CHANNEL_BLOCK; i++)
#pragma GCC unroll 8
      for (int j = 0; j < COLUMN_BLOCK; j++) acc[i][j] = MAC(acc[i][j], x[j], w[i]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < CHANNEL_BLOCK; i++)
#pragma GCC unroll 8
    for (int j = 0; j < COLUMN_BLOCK; j++) STORE(out + i * TILE + j * LANES, acc[i][j]);
}

/* The whole code of one tile, (CHANNELS, TILE), into `out` and, where it is still needed later, over `older`. */
static TARGET void NAME(expand_tile)(const struct step *s, int64_t row, int64_t tile, float *out) {
  const float *old = s->old + (row * s->tiles + tile) * CHANNELS * TILE;
  float *older = s->older + (row * s->tiles + tile) * CHANNELS * TILE;
  const int keep = s->keep != 0, keep_prev = s->keep_prev != 0, store = s->store;
  for (int channel = 0; channel < CHANNELS; channel += CHANNEL_BLOCK) {
    /* fetched while the sums are formed */
    for (int i = channel * TILE; i < (channel + CHANNEL_BLOCK) * TILE; i += 16) {
      if (keep) __builtin_prefetch(old + i, 0, 2);
      if (keep_prev || store) __builtin_prefetch(older + i, 0, 2);
    }
    const int64_t group = channel / CHANNEL_GROUP, within = channel % CHANNEL_GROUP;
    const WORD *w = (const WORD *)s->up + group * s->num_taps * CHANNEL_GROUP + within;
    for (int column = 0; column < TILE; column += COLUMN_BLOCK * LANES)
      NAME(expand_block)
      (s->taps, s->num_taps, row * s->stride + tile * TILE + column, w, out + channel * TILE + column);
  }
  const struct threshold th = s->threshold;
  for (int i = 0; i < CHANNELS * TILE; i += LANES) {
    VF v = LOAD(out + i);
    if (keep) v += LOAD(old + i) * SPLAT(s->keep);
    if (keep_prev) v += LOAD(older + i) * SPLAT(s->keep_prev);
    v = NAME(threshold)(v, &th);
    STORE(out + i, v);
    if (store) STORE(older + i, v);
  }
  for (int channel = 0; channel < CHANNELS; channel++) /* beyond the picture the code is zero */
    for (int64_t p = s->width - tile * TILE; p < TILE; p++) {
      out[channel * TILE + p] = 0.0f;
      if (store) older[channel * TILE + p] = 0.0f;
    }
}

#if USE_BF16
#define DEPTH (CHANNELS / 2)
#else
#define DEPTH CHANNELS
#endif

/* SHIFT_BLOCK kernel columns of one kernel row: sums over the code's channels, into the staging rows. */
static TARGET __attribute__((noinline)) void NAME(reduce_block)(const WORD *w, const float *code, float *staging) {
  VF acc[SHIFT_BLOCK][COLUMN_BLOCK] = {{{0}}};
  for (int channel = 0; channel < DEPTH; channel++, w += KERNEL, code += TILE) {
    VF x[COLUMN_BLOCK];
#pragma GCC unroll 8
    for (int j = 0; j < COLUMN_BLOCK; j++) x[j] = LOAD(code + j * LANES);
#pragma GCC unroll 9
    for (int i = 0; i < SHIFT_BLOCK; i++)
#pragma GCC unroll 8
      for (int j = 0; j < COLUMN_BLOCK; j++) acc[i][j] = MAC(acc[i][j], x[j], w[i]);
  }
#pragma GCC unroll 9
  for (int i = 0; i < SHIFT_BLOCK; i++)
#pragma GCC unroll 8
    for (int j = 0; j < COLUMN_BLOCK; j++) STORE(staging + i * STAGING + j * LANES, acc[i][j]);
}

/* Add one tile's share of every row sum:
 * partial[m][dy][row][q + 4] += sum over dx of w[m][dy][dx] * code[q + dx - 4]. */
static TARGET void NAME(reduce_tile)(const struct step *s, int64_t row, int64_t tile, const float *code) {
  float staging[KERNEL * STAGING] __attribute__((aligned(64)));
  memset(staging, 0, sizeof staging);
  const WORD *w = (const WORD *)s->down;
  for (int line = 0; line < s->num_outputs * KERNEL; line++, w += DEPTH * KERNEL) {
    for (int shift = 0; shift < KERNEL; shift += SHIFT_BLOCK)
      for (int column = 0; column < TILE; column += COLUMN_BLOCK * LANES)
        NAME(reduce_block)(w + shift, code + column, staging + shift * STAGING + STAGING_MARGIN + column);
    float *sums = s->partial + ((int64_t)line * s->height + row) * s->stride + tile * TILE;
    /* outputs q of this tile: pixels q - 8 + dx; order fixed left to right */
    for (int q = 0; q < TILE + 16; q += LANES) {
      VF v = LOAD(sums + q);
#pragma GCC unroll 9
      for (int dx = 0; dx < KERNEL; dx++) v += LOAD(staging + dx * STAGING + STAGING_MARGIN - 8 + q + dx);
      STORE(sums + q, v);
    }
  }
}

static TARGET void NAME(lzsc_step)(const struct step *s, int64_t first_row, int64_t last_row) {
  float code[CHANNELS * TILE] __attribute__((aligned(64)));
#if USE_BF16
  uint32_t pairs[DEPTH * TILE] __attribute__((aligned(64)));
#endif
  for (int64_t row = first_row; row < last_row; row++) {
    for (int line = 0; line < s->num_outputs * KERNEL; line++)
      memset(s->partial + ((int64_t)line * s->height + row) * s->stride, 0, sizeof(float) * s->stride);
    for (int64_t tile = 0; tile < s->tiles; tile++) {
      NAME(expand_tile)(s, row, tile, code);
#if USE_BF16
      NAME(pack_pairs)(code, CHANNELS, TILE, pairs);
      NAME(reduce_tile)(s, row, tile, (const float *)pairs);
#else
      NAME(reduce_tile)(s, row, tile, code);
#endif
    }
  }
}

#undef DEPTH
#undef SHIFT_BLOCK
#include "vectors_end.h"
