/* (x - mean) / sqrt(variance + epsilon) * weight + bias over the channels of each pixel, bfloat16 to bfloat16. */
static TARGET_AVX512_BF16 void norm_pixels(const uint16_t *x, int64_t pixels, int64_t channels, const float *weight,
                                           const float *bias, float epsilon, uint16_t *out) {
  const int64_t vectors = (channels + 15) / 16;
  const float share = 1.0f / (float)channels;
  __m512 w[MAX_CHANNELS / 16], b[MAX_CHANNELS / 16];
  int count[MAX_CHANNELS / 16];
  for (int64_t i = 0; i < vectors; i++) {
    count[i] = lanes_of(channels, i);
    w[i] = _mm512_maskz_loadu_ps(mask_of(count[i]), weight + 16 * i);
    b[i] = _mm512_maskz_loadu_ps(mask_of(count[i]), bias + 16 * i);
  }
  for (int64_t p = 0; p < pixels; p++, x += channels, out += channels) {
    __m512 v[MAX_CHANNELS / 16], sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (int64_t i = 0; i < vectors; i++) {
      v[i] = widened(mask_of(count[i]), x + 16 * i);
      sum = _mm512_add_ps(sum, v[i]);
    }
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) * share);
    for (int64_t i = 0; i < vectors; i++) {
      v[i] = _mm512_maskz_sub_ps(mask_of(count[i]), v[i], mean);
      squares = _mm512_fmadd_ps(v[i], v[i], squares);
    }
    const __m512 scale = _mm512_set1_ps(1.0f / __builtin_sqrtf(_mm512_reduce_add_ps(squares) * share + epsilon));
    for (int64_t i = 0; i < vectors; i++)
      narrowed(out + 16 * i, count[i], _mm512_fmadd_ps(_mm512_mul_ps(v[i], scale), w[i], b[i]));
  }
}
