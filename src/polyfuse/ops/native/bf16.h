/* Sixteen bfloat16 in memory as a vector of floats, and back; pairs of them; powers of two as exact as they are. */

#define INLINE static inline TARGET_AVX512_BF16 __attribute__((always_inline))

INLINE __m512 widened(__mmask16 mask, const uint16_t *x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, x)), 16));
}

/* Store the first `count` lanes in whole pieces: masked stores take several times as long and stall later loads. */
INLINE void narrowed(uint16_t *out, int count, __m512 v) {
  const __m256i all = (__m256i)_mm512_cvtneps_pbh(v);
  if (count == 16) {
    _mm256_storeu_si256((__m256i *)out, all);
    return;
  }
  __m128i part = _mm256_castsi256_si128(all);
  if (count & 8) _mm_storeu_si128((__m128i *)out, part), out += 8, part = _mm256_extracti128_si256(all, 1);
  if (count & 4) _mm_storel_epi64((__m128i *)out, part), out += 4, part = _mm_srli_si128(part, 8);
  if (count & 2) _mm_storeu_si32(out, part), out += 2, part = _mm_srli_si128(part, 4);
  if (count & 1) *out = (uint16_t)_mm_cvtsi128_si32(part);
}

/* Two neighbouring bfloat16 in every lane. */
INLINE __m512bh both_at(const uint16_t *x) {
  int pair;
  memcpy(&pair, x, 4);
  return (__m512bh)_mm512_set1_epi32(pair);
}

/* 2^y within 7.5e-5 of it, for y of a size below 126. */
INLINE __m512 power_of_two(__m512 y) {
  const __m512 n = _mm512_roundscale_ps(y, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(y, n);
  __m512 p = _mm512_fmadd_ps(f, _mm512_set1_ps(5.5171557e-2f), _mm512_set1_ps(2.4261107e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9326097e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.9992806e-1f));
  return _mm512_scalef_ps(p, n);
}

/* Lanes of vector `i` that are channels. */
INLINE int lanes_of(int64_t channels, int64_t i) {
  const int64_t left = channels - 16 * i;
  return left >= 16 ? 16 : left > 0 ? (int)left : 0;
}

INLINE __mmask16 mask_of(int count) { return (__mmask16)((1u << count) - 1); }
