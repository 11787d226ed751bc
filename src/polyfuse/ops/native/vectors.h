/* Vectors of LANES floats, the multiply-accumulate of a kernel's operands, and the exponential.
 *
 * Included once per instruction set, with TARGET, LANES, NAME and USE_BF16 as each_set.h defines them; `vectors_end.h`
 * takes all of it back.
 */

typedef float NAME(vf) __attribute__((vector_size(LANES * 4)));
typedef float NAME(vfu) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t NAME(vi) __attribute__((vector_size(LANES * 4)));
#define VF NAME(vf)
#define VFU NAME(vfu)
#define VI NAME(vi)
#define LOAD(p) ((VF) * (const VFU *)(p))
#define STORE(p, v) (*(VFU *)(p) = (VFU)(v))
#define SPLAT(s) ((VF){0} + (s))

#if LANES == 16 /* cheaper than a division; the second-order term keeps the small error free of bias */
static inline TARGET __attribute__((always_inline)) VF NAME(reciprocal)(VF d) {
  VF r = (VF)_mm512_rcp14_ps((__m512)d);
  VF e = (VF)_mm512_fnmadd_ps((__m512)d, (__m512)r, (__m512)SPLAT(1.0f));
  return r + r * (e + e * e);
}
#define RECIPROCAL(d) NAME(reciprocal)(d)
#else
#define RECIPROCAL(d) (SPLAT(1.0f) / (d))
#endif

#if USE_BF16
#define MAC(acc, x, w)                                                                         \
  ((VF)_mm512_dpbf16_ps((__m512)(acc), (__m512bh)_mm512_castps_si512((__m512)(x)),             \
                        (__m512bh)_mm512_set1_epi32((int)(w))))
typedef uint32_t NAME(word);
#else
#define MAC(acc, x, w) ((acc) + (x) * (w))
typedef float NAME(word);
#endif
#define WORD NAME(word)

/* exp(-t) for t in [-87, 87]: 2^n times a polynomial on [-1/2, 1/2]; relative error below 2e-7. */
static inline TARGET __attribute__((always_inline)) VF NAME(exp_neg)(VF t) {
  VF y = t * SPLAT(-1.44269504088896341f);
  VF shifted = y + SPLAT(12582912.0f); /* 1.5 * 2^23: rounds to an integer in the low mantissa bits */
  VI n = (VI)shifted;
  VF f = y - (shifted - SPLAT(12582912.0f));
  VF p = SPLAT(1.5403530393381608e-4f);
  p = p * f + SPLAT(1.3333558146428443e-3f);
  p = p * f + SPLAT(9.618129107628477e-3f);
  p = p * f + SPLAT(5.550410866482158e-2f);
  p = p * f + SPLAT(2.402265069591007e-1f);
  p = p * f + SPLAT(6.931471805599453e-1f);
  p = p * f + SPLAT(1.0f);
  return (VF)((VI)p + (n << 23));
}

/* t within [-87, 87], where exp neither overflows nor vanishes. */
static inline TARGET __attribute__((always_inline)) VF NAME(clamp)(VF t) {
  VI low = t < SPLAT(-87.0f), high = t > SPLAT(87.0f);
  return (VF)(((VI)t & ~(low | high)) | ((VI)SPLAT(-87.0f) & low) | ((VI)SPLAT(87.0f) & high));
}

#if USE_BF16
/* Two neighbouring channels (channels, width) of each pixel as a pair of bfloat16, rounded to nearest even. */
static inline TARGET void NAME(pack_pairs)(const float *values, int64_t channels, int64_t width, uint32_t *pairs) {
  for (int64_t i = 0; i < channels / 2; i++, values += 2 * width, pairs += width)
    for (int64_t p = 0; p < width; p += LANES) {
      __m512i even = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(values + p)));
      __m512i odd = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(values + width + p)));
      _mm512_storeu_si512(pairs + p, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
}
#endif
