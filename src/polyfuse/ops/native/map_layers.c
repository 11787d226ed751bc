/* Layers on maps (H, W, C) with the channels last, for SMFNet, DAE-Fuse and FNet-T on a CPU: the module `_maps`.
 *
 * Each method calls what the header of that name describes, layouts included:
 *   reason         messages among the nodes of a graph, see graph.h; in float32 or bfloat16, all others in bfloat16
 *   norm           layer normalisation over the channels
 *   count          sums that an attention over channels is made of
 *   separable      a 1x1, a depthwise 3x3 and another 1x1 convolution
 *   dense          3x3 or 1x1 convolution to 8, 16, .. 48 channels
 *   attention      many queries, few keys
 *   edges          sizes of two depthwise filters' answers
 *   pack, unpack   two planes as a map of blocks of 2 x 2 pixels, and back, see blocks.h
 */
#include "module.h"

#include <math.h>

#define MAX_CHANNELS 64
#include "graph.h"

#if defined(__x86_64__)
#include "bf16.h"

#include "norm.h"
#include "count.h"
#include "separable.h"
#include "dense.h"
#include "attention.h"
#include "blocks.h"
#include "edges.h"
#endif

#define NO_BF16 "this processor has no bfloat16, or "

DEFINE_SUPPORTS(find_reason(name) != NULL)

static PyObject *reason(PyObject *Py_UNUSED(module), PyObject *args) {
  const char *name;
  unsigned long long nodes[2 * NODES], out[2], exchange, at[2][5];
  long long first, last, channels;
  struct graph g;
  if (!PyArg_ParseTuple(args, "s(LL)L(KKKKKK)(KK)(Ki)((KKKKK)fii)((KKKKK)fii)", &name, &first, &last, &channels,
                        nodes, nodes + 1, nodes + 2, nodes + 3, nodes + 4, nodes + 5, out, out + 1, &exchange,
                        &g.rounds, at[0], at[0] + 1, at[0] + 2, at[0] + 3, at[0] + 4, &g.passing[0].gamma,
                        &g.passing[0].iterations, &g.passing[0].by_parity, at[1], at[1] + 1, at[1] + 2, at[1] + 3,
                        at[1] + 4, &g.passing[1].gamma, &g.passing[1].iterations, &g.passing[1].by_parity))
    return NULL;
  const reason_function function = find_reason(name);
  if (function == NULL || channels < 4 || channels % 4 || channels > MAX_CHANNELS)
    return refuse("instruction set not supported here, or wrong number of channels");
  for (int i = 0; i < 2 * NODES; i++) g.nodes[i] = POINTER(const void, nodes[i]);
  for (int i = 0; i < 2; i++) {
    struct passing *p = g.passing + i;
    g.out[i] = POINTER(void, out[i]);
    p->gates = POINTER(const void, at[i][0]), p->gate_bias = FLOATS(at[i][1]);
    p->candidate = POINTER(const void, at[i][2]), p->candidate_bias = FLOATS(at[i][3]);
    p->edges = FLOATS(at[i][4]);
  }
  g.exchange = FLOATS(exchange), g.channels = channels;
  WITHOUT_GIL(function(&g, first, last));
  Py_RETURN_NONE;
}

static PyObject *norm(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long x, weight, bias, out;
  long long pixels, channels;
  float epsilon;
  if (!PyArg_ParseTuple(args, "KLLKKfK", &x, &pixels, &channels, &weight, &bias, &epsilon, &out)) return NULL;
  if (!runs_here("avx512_bf16") || channels < 1 || channels > MAX_CHANNELS)
    return refuse(NO_BF16 "wrong number of channels");
#if defined(__x86_64__)
  WITHOUT_GIL(norm_pixels(BF16(x), pixels, channels, FLOATS(weight), FLOATS(bias), epsilon, POINTER(uint16_t, out)));
#endif
  Py_RETURN_NONE;
}

static PyObject *count(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long query, key, products, squares;
  long long rows, columns, row_step, step, channels, size;
  if (!PyArg_ParseTuple(args, "(KK)(LLLL)(LL)(KK)", &query, &key, &rows, &columns, &row_step, &step, &channels, &size,
                        &products, &squares))
    return NULL;
  if (!runs_here("avx512_bf16") || size < 1 || size > 16 || channels % size)
    return refuse(NO_BF16 "wrong number of channels");
#if defined(__x86_64__)
  WITHOUT_GIL(count_pixels(BF16(query), BF16(key), rows, columns, row_step, step, channels, size,
                           POINTER(double, products), POINTER(double, squares)));
#endif
  Py_RETURN_NONE;
}

static PyObject *separable(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long x, out, norm_weight, norm_bias, weights[6];
  long long rows, columns, row_step, step, first, count, inputs, middle, outputs;
  float epsilon;
  int activations[3], reflect, residual;
  if (!PyArg_ParseTuple(args, "K(LLLL)(LL)(LLL)(KKf)(KKKKKK)(iii)iiK", &x, &rows, &columns, &row_step, &step, &first,
                        &count, &inputs, &middle, &outputs, &norm_weight, &norm_bias, &epsilon, weights, weights + 1,
                        weights + 2, weights + 3, weights + 4, weights + 5, activations, activations + 1,
                        activations + 2, &reflect, &residual, &out))
    return NULL;
  if (!runs_here("avx512_bf16") || inputs < 2 || inputs % 2 || inputs > MAX_CHANNELS || middle < 2 || middle % 2 ||
      middle > 3 * MAX_CHANNELS || outputs < 1 || outputs > 3 * MAX_CHANNELS)
    return refuse(NO_BF16 "wrong number of channels");
#if defined(__x86_64__)
  const struct separable s = {
      .x = BF16(x), .rows = rows, .columns = columns, .row_step = row_step, .step = step,
      .first = first, .count = count, .inputs = inputs, .middle = middle, .outputs = outputs,
      .norm_weight = FLOATS(norm_weight), .norm_bias = FLOATS(norm_bias), .epsilon = epsilon,
      .expand = PAIRS(weights[0]), .expand_bias = FLOATS(weights[1]),
      .mix = FLOATS(weights[2]), .mix_bias = FLOATS(weights[3]),
      .reduce = PAIRS(weights[4]), .reduce_bias = FLOATS(weights[5]),
      .activations = {activations[0], activations[1], activations[2]},
      .reflect = reflect, .residual = residual, .out = POINTER(uint16_t, out)};
  WITH_ROOM(uint16_t, separable_room(&s), separable_map(&s, room));
#endif
  Py_RETURN_NONE;
}

static PyObject *dense(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long x, weight, bias, added, out;
  long long rows, columns, row_step, step, first, count, inputs, outputs, side, dilation;
  long long added_row_step, added_step, out_row_step, out_step;
  float leak;
  if (!PyArg_ParseTuple(args, "K(LLLL)(LL)(LLLL)(KK)fK(LL)K(LL)", &x, &rows, &columns, &row_step, &step, &first,
                        &count, &inputs, &outputs, &side, &dilation, &weight, &bias, &leak, &added, &added_row_step,
                        &added_step, &out, &out_row_step, &out_step))
    return NULL;
  if (!runs_here("avx512_bf16") || inputs < 2 || inputs % 2 || outputs % 8 || outputs < 8 || outputs > 48 ||
      dilation < 0 || (side != 1 && side != 3))
    return refuse(NO_BF16 "wrong number of channels");
#if defined(__x86_64__)
  const struct dense s = {
      .x = BF16(x), .rows = rows, .columns = columns, .row_step = row_step, .step = step,
      .first = first, .count = count, .inputs = inputs, .blocks = outputs / 16, .half = outputs % 16 != 0,
      .side = side, .dilation = dilation, .weight = PAIRS(weight), .bias = FLOATS(bias), .leak = leak,
      .added = BF16(added), .added_row_step = added_row_step, .added_step = added_step,
      .out = POINTER(uint16_t, out), .out_row_step = out_row_step, .out_step = out_step};
  WITH_ROOM(uint16_t, dense_room(&s), dense_map(&s, room));
#endif
  Py_RETURN_NONE;
}

static PyObject *attention(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long query, key, value, out;
  long long count, query_step, heads, width, keys, outputs, out_step, head_step;
  int unit;
  if (!PyArg_ParseTuple(args, "K(LL)(LLLL)(KK)iK(LL)", &query, &count, &query_step, &heads, &width, &keys, &outputs,
                        &key, &value, &unit, &out, &out_step, &head_step))
    return NULL;
  if (!runs_here("avx512_bf16") || width < 16 || width % 16 || outputs < 16 || outputs % 16 || keys < 1)
    return refuse(NO_BF16 "wrong number of channels or keys");
#if defined(__x86_64__)
  const struct attention s = {
      .query = BF16(query), .count = count, .query_step = query_step, .heads = heads, .width = width, .keys = keys,
      .outputs = outputs, .key = PAIRS(key), .value = PAIRS(value), .unit = unit,
      .out = POINTER(uint16_t, out), .out_step = out_step, .head_step = head_step};
  WITH_ROOM(float, attention_room(&s), attend_all(&s, room));
#endif
  Py_RETURN_NONE;
}

static PyObject *edges(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long x, weights, out;
  long long rows, columns, row_step, step, channels, out_row_step, out_step;
  if (!PyArg_ParseTuple(args, "K(LLLL)LKK(LL)", &x, &rows, &columns, &row_step, &step, &channels, &weights, &out,
                        &out_row_step, &out_step))
    return NULL;
  if (!runs_here("avx512_bf16") || channels < 1) return refuse(NO_BF16 "no channels");
#if defined(__x86_64__)
  const struct edges s = {
      .x = BF16(x), .rows = rows, .columns = columns, .row_step = row_step, .step = step, .channels = channels,
      .weights = FLOATS(weights), .out = POINTER(uint16_t, out), .out_row_step = out_row_step, .out_step = out_step};
  WITHOUT_GIL(edges_of_map(&s));
#endif
  Py_RETURN_NONE;
}

static PyObject *pack(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long a, b, map;
  long long rows, columns, row_step, reach, first, count;
  if (!PyArg_ParseTuple(args, "(KK)(LLL)L(LL)K", &a, &b, &rows, &columns, &row_step, &reach, &first, &count, &map))
    return NULL;
  if (!runs_here("avx512_bf16") || rows < 1 || columns < 1 || reach < 0) return refuse(NO_BF16 "empty planes");
#if defined(__x86_64__)
  const struct blocks s = {FLOATS(a), FLOATS(b), rows, columns, row_step, reach};
  WITH_ROOM(uint32_t, blocks_room(&s), pack_blocks(&s, first, count, POINTER(uint32_t, map), room));
#endif
  Py_RETURN_NONE;
}

/* The larger plane plus the residual in `map` into `out`. */
static PyObject *unpack(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long a, b, map, out;
  long long rows, columns, row_step, reach, first, count, out_step;
  if (!PyArg_ParseTuple(args, "(KK)(LLL)L(LL)KKL", &a, &b, &rows, &columns, &row_step, &reach, &first, &count, &map,
                        &out, &out_step))
    return NULL;
  if (!runs_here("avx512_bf16") || rows < 1 || columns < 1 || reach < 0) return refuse(NO_BF16 "empty planes");
#if defined(__x86_64__)
  const struct blocks s = {FLOATS(a), FLOATS(b), rows, columns, row_step, reach};
  WITH_ROOM(uint32_t, blocks_room(&s),
            unpack_blocks(&s, first, count, PAIRS(map), POINTER(float, out), out_step, room));
#endif
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    SUPPORTS,
    METHOD(reason, "(...): exchange and messages of a range of pixels; see ops/native_maps.py."),
    METHOD(count, "(...): sums over bfloat16 pixels for an attention over channels."),
    METHOD(separable, "(...): 1x1, depthwise 3x3 and 1x1 convolution of bfloat16 maps."),
    METHOD(dense, "(...): 3x3 or 1x1 convolution of bfloat16 maps to 8, 16, .. 48 channels."),
    METHOD(attention, "(...): many bfloat16 queries, few keys."),
    METHOD(edges, "(...): sizes of two depthwise filters' answers on a bfloat16 map."),
    METHOD(pack, "(...): two planes as a bfloat16 map of blocks."),
    METHOD(unpack, "(...): the larger of two planes plus a residual in blocks."),
    METHOD(norm, "(...): layer normalisation of bfloat16 pixels."),
    END_OF_METHODS};

DEFINE_MODULE(_maps, "Layers on maps, channels last.")
