/* SMFNet's graph: the gated exchange of two times three nodes and the messages within each three.
 *
 * All of it is pixel by pixel, so that TILE pixels at a time stay in cache from the first gate to the last. Values are
 * float32 throughout; operands of the products are rounded to bfloat16 where the maps are. Layouts:
 *   nodes      six maps (pixels, channels), a's three and b's three, before their ReLU: float32 or bfloat16
 *   out        two maps (pixels, 3 channels), of the same type
 *   exchange   (2, channels): what weighs b - a for the gate of a and of b
 *   edges      (2, channels): what weighs a node less its first and its second neighbour
 *   gates      (2 channels / 8, depth, 8): weights of reset and update, which read message and node; depth is
 *              2 channels, or `channels` words of two bfloat16, as polyfuse/ops/native_packing.py makes them
 *   candidate  (channels / 8 rounded up, depth, 8): likewise, doubled, because tanh(x) = 2 sigmoid(2 x) - 1
 */

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
  void *out[2];
  const float *exchange;
  int64_t channels;
  int rounds;
  struct passing passing[2];
};

#define KERNEL_FILE "graph_kernel.h"
#include "each_set.h"

typedef void (*reason_function)(const struct graph *, int64_t, int64_t);

/* NULL where the processor does not run the set of that name, or there is no form for it. */
static reason_function find_reason(const char *name) { return FORM_FOR(name, graph_reason, NULL); }
