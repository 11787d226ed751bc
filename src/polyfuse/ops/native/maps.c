/* What SMFNet does between its convolutions, on maps with the channels last (see polyfuse/ops/native_maps.py).
 *
 * reason   the gated exchange of two times three nodes and the messages within each three: everything pixel by pixel, so
 *          that TILE pixels at a time stay in cache from the first gate to the last. Values are float32 throughout;
 *          operands of the products are rounded to bfloat16 where the maps are.
 * norm     layer normalisation over the channels of bfloat16 maps, in float32.
 * count    sums over pixels of bfloat16 maps that an attention over channels is made of, in float32 along a row of the map
 *          and in float64 over rows.
 * separable  a 1x1, a depthwise 3x3 and another 1x1 convolution of bfloat16 maps, see separable.h.
 * dense      3x3 or 1x1 convolution of bfloat16 maps to 8, 16, .. 48 channels, see dense.h.
 * attention  many bfloat16 queries, few keys, see attention.h.
 * edges      sizes of two depthwise filters' answers, see edges.h.
 * pack       two planes as a map of blocks of 2 x 2 pixels, see blocks.h.
 * unpack     back, with the larger of both planes added.
 *
 * Layouts:
 *   nodes      six maps (pixels, channels), a's three and b's three, before their ReLU: float32 or bfloat16
 *   found      two maps (pixels, 3 channels), of the same type
 *   exchange   (2, channels): what weighs b - a for the gate of a and of b
 *   edges      (2, channels): what weighs a node less its first and its second neighbour
 *   gates      (2 channels / 8, depth, 8): weights of reset and update, which read message and node; depth is
 *              2 channels, or `channels` words of two bfloat16, as polyfuse/ops/native_packing.py makes them
 *   candidate  (channels / 8 rounded up, depth, 8): likewise, doubled, because tanh(x) = 2 sigmoid(2 x) - 1
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "sets.h"

#define MAX_CHANNELS 64
#define GROUP 8
#define TILE 48
#define NODES 3

struct passing {
  const void *gates, *candidate;
  const float *gate_bias, *candidate_bias, *edges;
  float gamma;
  int iterations, by_parity;
};

struct graph {
  const void *nodes[2 * NODES];
  void *found[2];
  const float *exchange;
  int64_t channels;
  int rounds;
  struct passing passing[2];
};

#if defined(__x86_64__)
#define TARGET TARGET_AVX512_BF16
#define LANES 16
#define CHANNEL_BLOCK 8
#define COLUMN_BLOCK 3
#define NAME(x) x##_avx512_bf16
#define USE_BF16 1
#include "graph_kernel.h"

#define TARGET TARGET_AVX512
#define LANES 16
#define CHANNEL_BLOCK 8
#define COLUMN_BLOCK 3
#define NAME(x) x##_avx512
#define USE_BF16 0
#include "graph_kernel.h"

#define TARGET TARGET_AVX2
#define LANES 8
#define CHANNEL_BLOCK 4
#define COLUMN_BLOCK 3
#define NAME(x) x##_avx2
#define USE_BF16 0
#include "graph_kernel.h"
#endif

typedef void (*reason_function)(const struct graph *, int64_t, int64_t);

static reason_function find_reason(const char *name) {
  if (!runs_here(name)) return NULL;
#if defined(__x86_64__)
  if (!strcmp(name, "avx512_bf16")) return graph_reason_avx512_bf16;
  if (!strcmp(name, "avx512")) return graph_reason_avx512;
  if (!strcmp(name, "avx2")) return graph_reason_avx2;
#endif
  return NULL;
}

static PyObject *supports(PyObject *Py_UNUSED(module), PyObject *args) {
  const char *name;
  if (!PyArg_ParseTuple(args, "s", &name)) return NULL;
  return PyBool_FromLong(find_reason(name) != NULL);
}

static PyObject *reason(PyObject *Py_UNUSED(module), PyObject *args) {
  const char *name;
  unsigned long long nodes[2 * NODES], found[2], exchange, at[2][5];
  long long first, last, channels;
  struct graph g;
  if (!PyArg_ParseTuple(args, "s(LL)L(KKKKKK)(KK)(Ki)((KKKKK)fii)((KKKKK)fii)", &name, &first, &last, &channels, nodes, nodes + 1,
                        nodes + 2, nodes + 3, nodes + 4, nodes + 5, found, found + 1, &exchange, &g.rounds, at[0], at[0] + 1,
                        at[0] + 2, at[0] + 3, at[0] + 4, &g.passing[0].gamma, &g.passing[0].iterations,
                        &g.passing[0].by_parity, at[1], at[1] + 1, at[1] + 2, at[1] + 3, at[1] + 4, &g.passing[1].gamma,
                        &g.passing[1].iterations, &g.passing[1].by_parity))
    return NULL;
  const reason_function function = find_reason(name);
  if (function == NULL || channels < 4 || channels % 4 || channels > MAX_CHANNELS) {
    PyErr_SetString(PyExc_ValueError, "instruction set not supported here, or wrong number of channels");
    return NULL;
  }
  for (int i = 0; i < 2 * NODES; i++) g.nodes[i] = (const void *)(uintptr_t)nodes[i];
  for (int i = 0; i < 2; i++) {
    struct passing *p = g.passing + i;
    g.found[i] = (void *)(uintptr_t)found[i];
    p->gates = (const void *)(uintptr_t)at[i][0], p->gate_bias = (const float *)(uintptr_t)at[i][1];
    p->candidate = (const void *)(uintptr_t)at[i][2], p->candidate_bias = (const float *)(uintptr_t)at[i][3];
    p->edges = (const float *)(uintptr_t)at[i][4];
  }
  g.exchange = (const float *)(uintptr_t)exchange, g.channels = channels;
  Py_BEGIN_ALLOW_THREADS function(&g, first, last);
  Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

#if defined(__x86_64__)
#include "bf16.h"

/* (x - mean) / sqrt(variance + epsilon) * weight + bias over the channels of each pixel, bfloat16 to bfloat16. */
static TARGET_AVX512_BF16 void norm_pixels(const uint16_t *x, int64_t pixels, int64_t channels, const float *weight,
                                           const float *bias, float epsilon, uint16_t *found) {
  const int64_t vectors = (channels + 15) / 16;
  const float share = 1.0f / (float)channels;
  __m512 w[MAX_CHANNELS / 16], b[MAX_CHANNELS / 16];
  int count[MAX_CHANNELS / 16];
  for (int64_t i = 0; i < vectors; i++) {
    count[i] = lanes_of(channels, i);
    w[i] = _mm512_maskz_loadu_ps(mask_of(count[i]), weight + 16 * i);
    b[i] = _mm512_maskz_loadu_ps(mask_of(count[i]), bias + 16 * i);
  }
  for (int64_t p = 0; p < pixels; p++, x += channels, found += channels) {
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
      narrowed(found + 16 * i, count[i], _mm512_fmadd_ps(_mm512_mul_ps(v[i], scale), w[i], b[i]));
  }
}

#define KEYS 8 /* channels of a key whose sums stay in registers */

/* Sums along one row of LANES channels of whole heads: query times each of `keys` channels of its head, from the first, and,
 * where asked for, the squares of both. */
static inline TARGET_AVX512_BF16 __attribute__((always_inline)) void count_row(
    const uint16_t *query, const uint16_t *key, int64_t columns, int64_t step, __mmask16 mask, const int32_t *heads, int first,
    const int keys, int with_squares, float (*sums)[16]) {
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
                                            int64_t row_step, int64_t step, int64_t channels, int64_t size, double *products,
                                            double *squares) {
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
#include "separable.h"

#include "dense.h"

#include "attention.h"

#include "blocks.h"

#include "edges.h"
#endif

static PyObject *norm(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long x, weight, bias, found;
  long long pixels, channels;
  float epsilon;
  if (!PyArg_ParseTuple(args, "KLLKKfK", &x, &pixels, &channels, &weight, &bias, &epsilon, &found)) return NULL;
  if (!runs_here("avx512_bf16") || channels < 1 || channels > MAX_CHANNELS) {
    PyErr_SetString(PyExc_ValueError, "this processor has no bfloat16, or wrong number of channels");
    return NULL;
  }
#if defined(__x86_64__)
  Py_BEGIN_ALLOW_THREADS norm_pixels((const uint16_t *)(uintptr_t)x, pixels, channels, (const float *)(uintptr_t)weight,
                                     (const float *)(uintptr_t)bias, epsilon, (uint16_t *)(uintptr_t)found);
  Py_END_ALLOW_THREADS
#endif
  Py_RETURN_NONE;
}

static PyObject *count(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long query, key, products, squares;
  long long rows, columns, row_step, step, channels, size;
  if (!PyArg_ParseTuple(args, "(KK)(LLLL)(LL)(KK)", &query, &key, &rows, &columns, &row_step, &step, &channels, &size,
                        &products, &squares))
    return NULL;
  if (!runs_here("avx512_bf16") || size < 1 || size > 16 || channels % size) {
    PyErr_SetString(PyExc_ValueError, "this processor has no bfloat16, or wrong number of channels");
    return NULL;
  }
#if defined(__x86_64__)
  Py_BEGIN_ALLOW_THREADS count_pixels((const uint16_t *)(uintptr_t)query, (const uint16_t *)(uintptr_t)key, rows, columns,
                                      row_step, step, channels, size, (double *)(uintptr_t)products,
                                      (double *)(uintptr_t)squares);
  Py_END_ALLOW_THREADS
#endif
  Py_RETURN_NONE;
}

static PyObject *separable(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long x, found, norm_weight, norm_bias, weights[6];
  long long rows, columns, row_step, step, first, count, inputs, middle, outputs;
  float epsilon;
  int activations[3], reflect, residual;
  if (!PyArg_ParseTuple(args, "K(LLLL)(LL)(LLL)(KKf)(KKKKKK)(iii)iiK", &x, &rows, &columns, &row_step, &step, &first, &count,
                        &inputs, &middle, &outputs, &norm_weight, &norm_bias, &epsilon, weights, weights + 1, weights + 2,
                        weights + 3, weights + 4, weights + 5, activations, activations + 1, activations + 2, &reflect,
                        &residual, &found))
    return NULL;
  if (!runs_here("avx512_bf16") || inputs < 2 || inputs % 2 || inputs > MAX_CHANNELS || middle < 2 || middle % 2 ||
      middle > 3 * MAX_CHANNELS || outputs < 1 || outputs > 3 * MAX_CHANNELS) {
    PyErr_SetString(PyExc_ValueError, "this processor has no bfloat16, or wrong number of channels");
    return NULL;
  }
#if defined(__x86_64__)
#define FLOATS(address) ((const float *)(uintptr_t)(address))
#define WORDS_AT(address) ((const uint32_t *)(uintptr_t)(address))
  const struct separable s = {.x = (const uint16_t *)(uintptr_t)x, .rows = rows, .columns = columns, .row_step = row_step,
                              .step = step, .first = first, .count = count, .inputs = inputs, .middle = middle,
                              .outputs = outputs, .norm_weight = FLOATS(norm_weight), .norm_bias = FLOATS(norm_bias),
                              .epsilon = epsilon, .expand = WORDS_AT(weights[0]), .expand_bias = FLOATS(weights[1]),
                              .mix = FLOATS(weights[2]), .mix_bias = FLOATS(weights[3]), .reduce = WORDS_AT(weights[4]),
                              .reduce_bias = FLOATS(weights[5]),
                              .activations = {activations[0], activations[1], activations[2]}, .reflect = reflect,
                              .residual = residual, .found = (uint16_t *)(uintptr_t)found};
  uint16_t *room = PyMem_Malloc(sizeof(uint16_t) * separable_room(&s));
  if (room == NULL) return PyErr_NoMemory();
  Py_BEGIN_ALLOW_THREADS separable_map(&s, room);
  Py_END_ALLOW_THREADS
  PyMem_Free(room);
#endif
  Py_RETURN_NONE;
}

static PyObject *dense(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long x, weight, bias, added, found;
  long long rows, columns, row_step, step, first, count, inputs, outputs, side, dilation, added_row_step, added_step;
  long long found_row_step, found_step;
  float leak;
  if (!PyArg_ParseTuple(args, "K(LLLL)(LL)(LLLL)(KK)fK(LL)K(LL)", &x, &rows, &columns, &row_step, &step, &first, &count,
                        &inputs, &outputs, &side, &dilation, &weight, &bias, &leak, &added, &added_row_step, &added_step,
                        &found, &found_row_step, &found_step))
    return NULL;
  if (!runs_here("avx512_bf16") || inputs < 2 || inputs % 2 || outputs % 8 || outputs < 8 || outputs > 48 || dilation < 0 ||
      (side != 1 && side != 3)) {
    PyErr_SetString(PyExc_ValueError, "this processor has no bfloat16, or wrong number of channels");
    return NULL;
  }
#if defined(__x86_64__)
  const struct dense s = {.x = (const uint16_t *)(uintptr_t)x, .rows = rows, .columns = columns, .row_step = row_step,
                          .step = step, .first = first, .count = count, .inputs = inputs, .blocks = outputs / 16,
                          .half = outputs % 16 != 0, .side = side, .dilation = dilation, .weight = WORDS_AT(weight),
                          .bias = FLOATS(bias), .leak = leak, .added = (const uint16_t *)(uintptr_t)added, .added_row_step = added_row_step,
                          .added_step = added_step,
                          .found = (uint16_t *)(uintptr_t)found, .found_row_step = found_row_step,
                          .found_step = found_step};
  uint16_t *room = PyMem_Malloc(sizeof(uint16_t) * dense_room(&s));
  if (room == NULL) return PyErr_NoMemory();
  Py_BEGIN_ALLOW_THREADS dense_map(&s, room);
  Py_END_ALLOW_THREADS
  PyMem_Free(room);
#endif
  Py_RETURN_NONE;
}

static PyObject *attention(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long query, key, value, found;
  long long count, query_step, heads, width, keys, outputs, found_step, head_step;
  int unit;
  if (!PyArg_ParseTuple(args, "K(LL)(LLLL)(KK)iK(LL)", &query, &count, &query_step, &heads, &width, &keys, &outputs, &key,
                        &value, &unit, &found, &found_step, &head_step))
    return NULL;
  if (!runs_here("avx512_bf16") || width < 16 || width % 16 || outputs < 16 || outputs % 16 || keys < 1) {
    PyErr_SetString(PyExc_ValueError, "this processor has no bfloat16, or wrong number of channels or keys");
    return NULL;
  }
#if defined(__x86_64__)
  const struct attention s = {.query = (const uint16_t *)(uintptr_t)query, .count = count, .query_step = query_step,
                              .heads = heads, .width = width, .keys = keys, .outputs = outputs, .key = WORDS_AT(key),
                              .value = WORDS_AT(value), .unit = unit, .found = (uint16_t *)(uintptr_t)found,
                              .found_step = found_step, .head_step = head_step};
  float *room = PyMem_Malloc(sizeof(float) * attention_room(&s));
  if (room == NULL) return PyErr_NoMemory();
  Py_BEGIN_ALLOW_THREADS attend_all(&s, room);
  Py_END_ALLOW_THREADS
  PyMem_Free(room);
#endif
  Py_RETURN_NONE;
}

static PyObject *edges(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long x, weights, found;
  long long rows, columns, row_step, step, channels, found_row_step, found_step;
  if (!PyArg_ParseTuple(args, "K(LLLL)LKK(LL)", &x, &rows, &columns, &row_step, &step, &channels, &weights, &found,
                        &found_row_step, &found_step))
    return NULL;
  if (!runs_here("avx512_bf16") || channels < 1) {
    PyErr_SetString(PyExc_ValueError, "this processor has no bfloat16, or no channels");
    return NULL;
  }
#if defined(__x86_64__)
  const struct edges s = {.x = (const uint16_t *)(uintptr_t)x, .rows = rows, .columns = columns, .row_step = row_step,
                          .step = step, .channels = channels, .weights = FLOATS(weights),
                          .found = (uint16_t *)(uintptr_t)found, .found_row_step = found_row_step,
                          .found_step = found_step};
  Py_BEGIN_ALLOW_THREADS edges_of_map(&s);
  Py_END_ALLOW_THREADS
#endif
  Py_RETURN_NONE;
}

/* Both ways between planes and blocks: `back` adds the residual in `map` to the larger plane and fills `found`. */
static PyObject *between_blocks(PyObject *args, int back) {
  unsigned long long a, b, map, found = 0;
  long long rows, columns, row_step, reach, first, count, found_step = 0;
  if (!PyArg_ParseTuple(args, back ? "(KK)(LLL)L(LL)KKL" : "(KK)(LLL)L(LL)K", &a, &b, &rows, &columns, &row_step, &reach,
                        &first, &count, &map, &found, &found_step))
    return NULL;
  if (!runs_here("avx512_bf16") || rows < 1 || columns < 1 || reach < 0) {
    PyErr_SetString(PyExc_ValueError, "this processor has no bfloat16, or empty planes");
    return NULL;
  }
#if defined(__x86_64__)
  const struct blocks s = {.a = FLOATS(a), .b = FLOATS(b), .rows = rows, .columns = columns, .row_step = row_step,
                           .reach = reach};
  uint32_t *room = PyMem_Malloc(sizeof(uint32_t) * blocks_room(&s));
  if (room == NULL) return PyErr_NoMemory();
  Py_BEGIN_ALLOW_THREADS
  if (back) unpack_blocks(&s, first, count, WORDS_AT(map), (float *)(uintptr_t)found, found_step, room);
  else pack_blocks(&s, first, count, (uint32_t *)(uintptr_t)map, room);
  Py_END_ALLOW_THREADS
  PyMem_Free(room);
#endif
  Py_RETURN_NONE;
}

static PyObject *pack(PyObject *Py_UNUSED(module), PyObject *args) { return between_blocks(args, 0); }
static PyObject *unpack(PyObject *Py_UNUSED(module), PyObject *args) { return between_blocks(args, 1); }

static PyMethodDef methods[] = {
    {"supports", supports, METH_VARARGS, "supports(name): whether this processor runs that instruction set."},
    {"reason", reason, METH_VARARGS, "reason(...): exchange and messages of a range of pixels; see ops/native_maps.py."},
    {"count", count, METH_VARARGS, "count(...): sums over bfloat16 pixels for an attention over channels."},
    {"separable", separable, METH_VARARGS, "separable(...): 1x1, depthwise 3x3 and 1x1 convolution of bfloat16 maps."},
    {"dense", dense, METH_VARARGS, "dense(...): 3x3 or 1x1 convolution of bfloat16 maps to 8, 16, .. 48 channels."},
    {"attention", attention, METH_VARARGS, "attention(...): many bfloat16 queries, few keys."},
    {"edges", edges, METH_VARARGS, "edges(...): sizes of two depthwise filters' answers on a bfloat16 map."},
    {"pack", pack, METH_VARARGS, "pack(...): two planes as a bfloat16 map of blocks."},
    {"unpack", unpack, METH_VARARGS, "unpack(...): the larger of two planes plus a residual in blocks."},
    {"norm", norm, METH_VARARGS, "norm(...): layer normalisation of bfloat16 pixels."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_maps", "Passes over maps, channels last.", -1, methods};

PyMODINIT_FUNC PyInit__maps(void) { return PyModule_Create(&definition); }
