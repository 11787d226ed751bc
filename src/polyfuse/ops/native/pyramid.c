/* The filters of a Laplacian pyramid, and what PyrFuse-T does with it, on planes (rows, columns) of float32: the module
 * `_pyramid`. See polyfuse/ops/pyramid.py and polyfuse/families/pyrfuse/real_time_network.py for the mathematics.
 *
 * Rows lie `columns` floats apart. Each function fills rows [first, last) of what it gives, so that callers may share
 * out bands of rows; a band gives the same bits as the whole. `shrink`, `expand` and `blur` are sums and powers of two
 * in the order of their PyTorch forms, to which they are equal to the bit.
 */
#include "module.h"

struct planes {
  const float *a, *b, *coarse_a, *coarse_b;
  int64_t rows, columns;
};

#define KERNEL_FILE "pyramid_kernel.h"
#define PORTABLE
#include "each_set.h"

#define DEFINE_FIND(function, ...)                                    \
  typedef void (*function##_function)(__VA_ARGS__);                   \
  static function##_function find_##function(const char *name) {      \
    return FORM_FOR(name, function##_rows, function##_rows_portable); \
  }

DEFINE_FIND(shrink, const float *, int64_t, int64_t, int64_t, int64_t, float *, float *)
DEFINE_FIND(blur, const float *, int64_t, int64_t, int64_t, int64_t, float *, float *)
DEFINE_FIND(expand, const float *, int64_t, int64_t, int64_t, int64_t, float *, float *)
DEFINE_FIND(energies, const struct planes *, int64_t, int64_t, float *const *, float *)
DEFINE_FIND(combine, const struct planes *, const float *const *, int64_t, int64_t, float *, float *)

DEFINE_SUPPORTS(find_shrink(name) != NULL)

#define NOT_HERE "instruction set not supported here, or no pixels"

/* A filter from one plane to one, both of whose sizes follow from (rows, columns) of the larger one. */
#define DEFINE_FILTER(function)                                                                                  \
  static PyObject *function(PyObject *Py_UNUSED(module), PyObject *args) {                                       \
    const char *name;                                                                                            \
    unsigned long long x, out;                                                                                   \
    long long rows, columns, first, last;                                                                        \
    if (!PyArg_ParseTuple(args, "sK(LL)(LL)K", &name, &x, &rows, &columns, &first, &last, &out)) return NULL;    \
    const function##_function work = find_##function(name);                                                      \
    if (work == NULL || rows < 1 || columns < 1) return refuse(NOT_HERE);                                        \
    WITH_ROOM(float, ROOM(columns), work(FLOATS(x), rows, columns, first, last, POINTER(float, out), room));     \
    Py_RETURN_NONE;                                                                                              \
  }

DEFINE_FILTER(shrink)
DEFINE_FILTER(blur)
DEFINE_FILTER(expand)

/* Local energies of both details and their product, (3, ceil(rows / 2), ceil(columns / 2)). */
static PyObject *energies(PyObject *Py_UNUSED(module), PyObject *args) {
  const char *name;
  unsigned long long a, b, coarse_a, coarse_b, out[3];
  long long rows, columns, first, last;
  if (!PyArg_ParseTuple(args, "s(KKKK)(LL)(LL)(KKK)", &name, &a, &b, &coarse_a, &coarse_b, &rows, &columns, &first,
                        &last, out, out + 1, out + 2))
    return NULL;
  const energies_function work = find_energies(name);
  if (work == NULL || rows < 1 || columns < 1) return refuse(NOT_HERE);
  const struct planes p = {FLOATS(a), FLOATS(b), FLOATS(coarse_a), FLOATS(coarse_b), rows, columns};
  float *const into[3] = {POINTER(float, out[0]), POINTER(float, out[1]), POINTER(float, out[2])};
  WITH_ROOM(float, ENERGIES_ROOM(columns), work(&p, first, last, into, room));
  Py_RETURN_NONE;
}

/* The expanded coarse result and both details, each times its expanded factor. */
static PyObject *combine(PyObject *Py_UNUSED(module), PyObject *args) {
  const char *name;
  unsigned long long a, b, coarse_a, coarse_b, fused, factor_a, factor_b, out;
  long long rows, columns, first, last;
  if (!PyArg_ParseTuple(args, "s(KKKK)(KKK)(LL)(LL)K", &name, &a, &b, &coarse_a, &coarse_b, &fused, &factor_a,
                        &factor_b, &rows, &columns, &first, &last, &out))
    return NULL;
  const combine_function work = find_combine(name);
  if (work == NULL || rows < 1 || columns < 1) return refuse(NOT_HERE);
  const struct planes p = {FLOATS(a), FLOATS(b), FLOATS(coarse_a), FLOATS(coarse_b), rows, columns};
  const float *const more[3] = {FLOATS(fused), FLOATS(factor_a), FLOATS(factor_b)};
  WITH_ROOM(float, COMBINE_ROOM(columns), work(&p, more, first, last, POINTER(float, out), room));
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    SUPPORTS,
    METHOD(shrink, "(...): low-pass and keep every second pixel; see ops/native_pyramid.py."),
    METHOD(blur, "(...): low-pass."),
    METHOD(expand, "(...): double the size."),
    METHOD(energies, "(...): local energies of two details and their product."),
    METHOD(combine, "(...): a level of the result from the coarser one, details and factors."),
    END_OF_METHODS};

DEFINE_MODULE(_pyramid, "Filters of a Laplacian pyramid.")
