/* Blocks of 2 x 2 pixels of two planes and of the larger of both as a bfloat16 map, and back.
 *
 *   a, b      (rows, columns), float32, rows `row_step` apart; beyond the border the edge pixels go on
 *   map       (block rows, block columns + 2 reach, 12): a, b and the larger, each with its pixels from left to right,
 *             top to bottom; the first column is `reach` blocks left of the picture
 *   residual  likewise with 8 channels, the first four of which are a block's pixels
 *   out     (rows, columns), float32, rows `out_step` apart: the larger of both plus the residual
 */

#define SIDE 2
#define PLANES 3
#define READ 8

struct blocks {
  const float *a, *b;
  int64_t rows, columns, row_step;
  int64_t reach;
};

INLINE int64_t clamped(int64_t at, int64_t size) { return at < 0 ? 0 : at < size ? at : size - 1; }

/* The larger of two, not a number where either is none. */
INLINE __m512 larger(__m512 a, __m512 b) {
  return _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}

/* How many 32-bit words the functions below need room for. */
static int64_t blocks_room(const struct blocks *s) {
  return PLANES * SIDE * ((s->columns + 1) / SIDE + 2 * s->reach + 16);
}

/* One row of pixels of the three planes, with its edge pixels going on, as words of two. */
INLINE void pack_row(const struct blocks *s, const float *a, const float *b, int64_t words,
                     uint16_t *const into[PLANES]) {
  const int64_t lead = SIDE * s->reach;
  for (int64_t x = 0; x < s->columns; x += 16) {
    const __mmask16 mask = mask_of(lanes_of(s->columns - x, 0));
    const __m512 one = _mm512_maskz_loadu_ps(mask, a + x), two = _mm512_maskz_loadu_ps(mask, b + x);
    narrowed(into[0] + lead + x, 16, one); /* the room goes on beyond the last column */
    narrowed(into[1] + lead + x, 16, two);
    narrowed(into[2] + lead + x, 16, larger(one, two));
  }
  for (int plane = 0; plane < PLANES; plane++) {
    uint16_t *row = into[plane];
    for (int64_t x = 0; x < lead; x++) row[x] = row[lead];
    for (int64_t x = lead + s->columns; x < SIDE * words; x++) row[x] = row[lead + s->columns - 1];
  }
}

static TARGET_AVX512_BF16 void pack_blocks(const struct blocks *s, int64_t first, int64_t count, uint32_t *out,
                                           uint32_t *room) {
  const int64_t words = (s->columns + 1) / SIDE + 2 * s->reach, size = words + 16;
  uint16_t *rows[SIDE][PLANES]; /* channels are plane by plane, so are the rows of `room` */
  for (int y = 0; y < SIDE; y++)
    for (int plane = 0; plane < PLANES; plane++) rows[y][plane] = (uint16_t *)(room + (SIDE * plane + y) * size);
  for (int64_t block = first; block < first + count; block++) {
    for (int y = 0; y < SIDE; y++) {
      const int64_t at = clamped(SIDE * block + y, s->rows) * s->row_step;
      pack_row(s, s->a + at, s->b + at, words, rows[y]);
    }
    for (int64_t x = 0; x < words; x++, out += PLANES * SIDE)
      for (int k = 0; k < PLANES * SIDE; k++) out[k] = room[k * size + x];
  }
}

/* Block rows from `first` on, of a residual that begins with row `first`. */
static TARGET_AVX512_BF16 void unpack_blocks(const struct blocks *s, int64_t first, int64_t count,
                                             const uint32_t *residual, float *out, int64_t out_step, uint32_t *room) {
  const int64_t blocks = (s->columns + 1) / SIDE, words = blocks + 2 * s->reach;
  for (int64_t block = first; block < first + count; block++, residual += words * READ / 2)
    for (int y = 0; y < SIDE && SIDE * block + y < s->rows; y++) {
      const int64_t row = SIDE * block + y;
      const float *a = s->a + row * s->row_step, *b = s->b + row * s->row_step;
      for (int64_t x = 0; x < blocks; x++) room[x] = residual[(s->reach + x) * READ / 2 + y];
      for (int64_t x = 0; x < s->columns; x += 16) {
        const __mmask16 mask = mask_of(lanes_of(s->columns - x, 0));
        const __m512 base = larger(_mm512_maskz_loadu_ps(mask, a + x), _mm512_maskz_loadu_ps(mask, b + x));
        const __m512 sum = _mm512_add_ps(base, widened(0xffff, (const uint16_t *)room + x));
        _mm512_mask_storeu_ps(out + row * out_step + x, mask, sum);
      }
    }
}
