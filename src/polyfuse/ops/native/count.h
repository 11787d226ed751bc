/* Sums over the pixels of two bfloat16 maps that an attention over channels is made of: products of each channel of the
 * query with those of the key in its head, and squares of both. Float32 along a row of the map, float64 over rows. */

#define KEYS 8 /* channels of a key whose sums stay in registers */

/* Sums along one row of up to 16 channels of whole heads: query times each of `keys` channels of its head, from the
 * first, and, where asked for, the squares of both. */
INLINE void count_row(const uint16_t *query, const uint16_t *key, int64_t columns, int64_t step, __mmask16 mask,
                      const int32_t *heads, int first, const int keys, int with_squares, float (*sums)[16]) {
  __m512 acc[KEYS], squares[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  __m512i at[KEYS];
#pragma GCC unroll 8
  for (int j = 0; j < keys; j++) {
    acc[j] = _mm512_setzero_ps();
    at[j] = _mm512_add_epi32(_mm512_loadu_si512(heads), _mm512_set1_epi32(first + j));
  }
  for (int64_t p = 0; p < columns; p++, query += step, key += step) {
    const __m512 q = widened(mask, query), k = widened(mask, key);
#pragma GCC unroll 8
    for (int j = 0; j < keys; j++) acc[j] = _mm512_fmadd_ps(q, _mm512_permutexvar_ps(at[j], k), acc[j]);
    if (with_squares) squares[0] = _mm512_fmadd_ps(q, q, squares[0]), squares[1] = _mm512_fmadd_ps(k, k, squares[1]);
  }
#pragma GCC unroll 8
  for (int j = 0; j < keys; j++) _mm512_storeu_ps(sums[j], acc[j]);
  if (with_squares) _mm512_storeu_ps(sums[KEYS], squares[0]), _mm512_storeu_ps(sums[KEYS + 1], squares[1]);
}

/* Add the sums over rows of pixels to `products` (channels, channels of a head) and `squares` (2, channels). */
static TARGET_AVX512_BF16 void count_pixels(const uint16_t *query, const uint16_t *key, int64_t rows, int64_t columns,
                                            int64_t row_step, int64_t step, int64_t channels, int64_t size,
                                            double *products, double *squares) {
  const int64_t lanes = 16 / size * size;
  int32_t heads[16];
  for (int lane = 0; lane < 16; lane++) heads[lane] = lane < lanes ? lane / (int)size * (int)size : 0;
  float sums[KEYS + 2][16];
  for (int64_t row = 0; row < rows; row++)
    for (int64_t c = 0; c < channels; c += lanes) {
      const int64_t used = channels - c < lanes ? channels - c : lanes;
      const __mmask16 mask = (__mmask16)((1u << used) - 1);
      const uint16_t *q = query + row * row_step + c, *k = key + row * row_step + c;
      for (int first = 0; first < size; first += KEYS) {
        const int keys = size - first < KEYS ? (int)size - first : KEYS, squared = first == 0;
        switch (keys) { /* a constant each, so that the sums stay in registers */
#define CASE(n) case n: count_row(q, k, columns, step, mask, heads, first, n, squared, sums); break;
          CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
        }
        for (int64_t lane = 0; lane < used; lane++) {
          for (int j = 0; j < keys; j++) products[(c + lane) * size + first + j] += sums[j][lane];
          if (squared) squares[c + lane] += sums[KEYS][lane], squares[channels + c + lane] += sums[KEYS + 1][lane];
        }
      }
    }
}
