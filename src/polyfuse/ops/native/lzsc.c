/* Fused sparse-coding steps for FNet and IFNet on a CPU (see polyfuse/ops/sparse_coding.py for the mathematics).
 *
 * One step of one picture: every pixel's 64 code values are the sum of 9 x 9 convolutions of a few planes, plus
 * multiples of the two earlier codes, thresholded; while that tile of code is still in cache, the next 64 -> few
 * convolutions read it. Codes are therefore written once and read twice, and no other 64-channel map exists.
 *
 * Layouts (TILE pixels of one row form a tile; the last tile of a row is filled up with zeros):
 *   planes[i]   (height + 8, stride): plane with a zero border of 4 pixels on each side and zeros to the row's end.
 *               float32, or 32-bit words of two bfloat16: two planes interleaved, or a pixel and its right neighbour
 *   plane_taps  9 taps per kernel row, or 5 where a word holds a pixel and its neighbour (the tenth tap weighs zero)
 *   up          (8 groups, planes, 9, taps per row, 8 channels): weights of the expansion
 *   old, older  (height, tiles, 64, TILE): codes x_{k-1} and x_{k-2}; the new code overwrites `older`
 *   down        (outputs, 9, 64 channels, 9): weights of the reductions; with bf16 (outputs, 9, 32 pairs, 9)
 *   partial     (outputs, 9, height, stride): row sums, partial[m][dy][r][q + 4]; the plane m is their sum over dy
 *               with row r + dy - 4, in a fixed order, so that the result depends neither on bands nor on tiles
 */
#include "module.h"

#define KERNEL 9
#define CHANNELS 64
#define CHANNEL_GROUP 8
#define TILE 48
#define STAGING_MARGIN 16
#define STAGING (TILE + 48)
#define MAX_PLANES 6

struct threshold {
  float theta, shrunk, steepness;
};

struct step {
  const float *taps[MAX_PLANES * KERNEL * KERNEL]; /* where each tap's plane would be read for the pixel (0, 0) */
  int num_taps, num_outputs, store;
  int64_t height, width, tiles, stride;
  const void *up, *down;
  const float *old;
  float *older;
  float *partial;
  float keep, keep_prev;
  struct threshold threshold;
};

#define KERNEL_FILE "lzsc_kernel.h"
#define PORTABLE
#include "each_set.h"

typedef void (*step_function)(const struct step *, int64_t, int64_t);

/* NULL where the processor does not run the set of that name. */
static step_function find_step(const char *name) { return FORM_FOR(name, lzsc_step, lzsc_step_portable); }

DEFINE_SUPPORTS(find_step(name) != NULL)

static PyObject *step(PyObject *Py_UNUSED(module), PyObject *args) {
  const char *name;
  PyObject *planes, *taps;
  unsigned long long up, down, old, older, partial;
  long long first_row, last_row, height, width, tiles, stride;
  struct step s;
  memset(&s, 0, sizeof s);
  if (!PyArg_ParseTuple(args, "s(LL)(LLLL)O!O!KKKKKii(ff)(fff)", &name, &first_row, &last_row, &height, &width, &tiles,
                        &stride, &PyTuple_Type, &planes, &PyTuple_Type, &taps, &up, &old, &older, &down, &partial,
                        &s.num_outputs, &s.store, &s.keep, &s.keep_prev, &s.threshold.theta, &s.threshold.shrunk,
                        &s.threshold.steepness))
    return NULL;
  const step_function function = find_step(name);
  const Py_ssize_t count = PyTuple_Size(planes);
  if (function == NULL || count > MAX_PLANES || PyTuple_Size(taps) != count)
    return refuse("instruction set not supported here, or wrong number of planes");
  for (Py_ssize_t i = 0; i < count; i++) {
    const float *plane = (const float *)PyLong_AsVoidPtr(PyTuple_GetItem(planes, i));
    const int in_row = (int)PyLong_AsLong(PyTuple_GetItem(taps, i));
    if (PyErr_Occurred()) return NULL;
    for (int dy = 0; dy < KERNEL; dy++)
      for (int t = 0; t < in_row; t++) s.taps[s.num_taps++] = plane + dy * stride + t * (in_row == KERNEL ? 1 : 2);
  }
  s.height = height, s.width = width, s.tiles = tiles, s.stride = stride;
  s.up = POINTER(const void, up), s.down = POINTER(const void, down);
  s.old = FLOATS(old), s.older = POINTER(float, older), s.partial = POINTER(float, partial);
  WITHOUT_GIL(function(&s, first_row, last_row));
  Py_RETURN_NONE;
}

/* Sum one output's row sums, `partial` (KERNEL, height, stride), over dy into rows [first, last) of a padded plane. */
static void gather_rows(const float *partial, int64_t first, int64_t last, int64_t height, int64_t width,
                        int64_t stride, float *plane) {
  for (int64_t row = first; row < last; row++) {
    float *out = plane + (row + KERNEL / 2) * stride + KERNEL / 2;
    memset(out, 0, sizeof(float) * width);
    for (int dy = 0; dy < KERNEL; dy++) {
      const int64_t source = row + dy - KERNEL / 2;
      if (source < 0 || source >= height) continue;
      const float *sums = partial + (dy * height + source) * stride + KERNEL / 2;
      for (int64_t q = 0; q < width; q++) out[q] += sums[q];
    }
  }
}

static PyObject *gather(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long partial, plane;
  long long first_row, last_row, height, width, stride, output;
  if (!PyArg_ParseTuple(args, "(LL)(LLL)KLK", &first_row, &last_row, &height, &width, &stride, &partial, &output,
                        &plane))
    return NULL;
  const float *of_output = FLOATS(partial) + output * KERNEL * height * stride;
  WITHOUT_GIL(gather_rows(of_output, first_row, last_row, height, width, stride, POINTER(float, plane)));
  Py_RETURN_NONE;
}

static inline uint32_t to_bf16(float value) { /* nearest even; NaN stays NaN */
  uint32_t bits;
  memcpy(&bits, &value, 4);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return value != value ? (bits >> 16) | 0x40 : rounded;
}

static void interleave_words(const float *first, const float *second, int64_t count, uint32_t *words) {
  for (int64_t i = 0; i < count; i++) words[i] = to_bf16(first[i]) | (to_bf16(second[i]) << 16);
}

/* Words (first[i], second[i]) of two float32 buffers as pairs of bfloat16. */
static PyObject *interleave(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long first, second, words;
  long long count;
  if (!PyArg_ParseTuple(args, "KKKL", &first, &second, &words, &count)) return NULL;
  WITHOUT_GIL(interleave_words(FLOATS(first), FLOATS(second), count, POINTER(uint32_t, words)));
  Py_RETURN_NONE;
}

static void split_words(const float *plane, int64_t count, uint32_t *words) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t high = to_bf16(plane[i]), bits = high << 16;
    float rounded;
    memcpy(&rounded, &bits, 4);
    words[i] = high | (to_bf16(plane[i] - rounded) << 16);
  }
}

/* Words (bf16(x), bf16(x - bf16(x))) of a float32 buffer: with the same weight in both halves, x nearly exactly. */
static PyObject *split(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long plane, words;
  long long count;
  if (!PyArg_ParseTuple(args, "KKL", &plane, &words, &count)) return NULL;
  WITHOUT_GIL(split_words(FLOATS(plane), count, POINTER(uint32_t, words)));
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    SUPPORTS,
    METHOD(step, "(...): one sparse-coding step on a band of rows; see ops/native_coding.py."),
    METHOD(gather, "(...): row sums to a padded plane."),
    METHOD(interleave, "(...): two float32 buffers to pairs of bfloat16."),
    METHOD(split, "(...): a float32 buffer to pairs of bfloat16, rounded value and rest."),
    END_OF_METHODS};

DEFINE_MODULE(_lzsc, "Fused sparse-coding steps.")
