/* Luma of an 8-bit RGB picture, and a new luma put back under its chroma: the module `_colour`. See
 * polyfuse/transforms/colour.py for the mathematics and polyfuse/fusion/conventions.py for who calls.
 *
 * Every operation is that of the NumPy form, in float32 and its order, and the last rounding in float64, so that the
 * pixels are equal to the bit. It is built without contraction to fused multiply-adds, which round once less (setup.py).
 * Layouts: rgb (rows, columns, 3) uint8, rows `row_step` bytes apart; luma (rows, columns) float32, rows `step` floats.
 */
#include "module.h"

#include <float.h>
#include <math.h>

/* As in polyfuse/transforms/colour.py; products of constants are taken in double, as Python does. */
#define KR 0.299
#define KB 0.114
#define KG (1.0 - KR - KB)
#define CB_SCALE (2 * (1 - KB))
#define CR_SCALE (2 * (1 - KR))
#define STUDIO_BLACK (16.0 / 255)
#define STUDIO_LUMA (219.0 / 255)
#define STUDIO_CHROMA (224.0 / 255)

#define BLOCK 1024 /* pixels that are worked on at a time */
#define ROUND 6755399441055744.0 /* 1.5 * 2^52: adding it rounds a small double to an integer, half to even */

struct picture {
  const uint8_t *rgb;
  int64_t rows, columns, row_step;
  int studio, safe;
};

#define KERNEL_FILE "colour_kernel.h"
#define PORTABLE
#include "each_set.h"

typedef void (*luma_function)(const struct picture *, float *, int64_t, float *);
typedef int (*merge_function)(const struct picture *, const float *, int64_t, uint8_t *, float *);

static luma_function find_luma(const char *name) { return FORM_FOR(name, luma_rows, luma_rows_portable); }
static merge_function find_merge(const char *name) { return FORM_FOR(name, merge_rows, merge_rows_portable); }

DEFINE_SUPPORTS(find_luma(name) != NULL)

/* Fill the luma of a picture. */
static PyObject *luma(PyObject *Py_UNUSED(module), PyObject *args) {
  const char *name;
  unsigned long long rgb, out;
  long long rows, columns, row_step, step;
  struct picture p;
  if (!PyArg_ParseTuple(args, "sK(LLL)iKL", &name, &rgb, &rows, &columns, &row_step, &p.studio, &out, &step))
    return NULL;
  const luma_function work = find_luma(name);
  if (work == NULL) return refuse("instruction set not supported here");
  p.rgb = POINTER(const uint8_t, rgb), p.rows = rows, p.columns = columns, p.row_step = row_step, p.safe = 0;
  WITH_ROOM(float, 3 * BLOCK, work(&p, POINTER(float, out), step, room));
  Py_RETURN_NONE;
}

/* Fill (rows, columns, 3) without gaps; False where a luma is not finite, and what is filled then means nothing. */
static PyObject *merge(PyObject *Py_UNUSED(module), PyObject *args) {
  const char *name;
  unsigned long long rgb, fused, out;
  long long rows, columns, row_step, step;
  struct picture p;
  int finite;
  if (!PyArg_ParseTuple(args, "sK(LLL)(ii)(KL)K", &name, &rgb, &rows, &columns, &row_step, &p.studio, &p.safe, &fused,
                        &step, &out))
    return NULL;
  const merge_function work = find_merge(name);
  if (work == NULL) return refuse("instruction set not supported here");
  p.rgb = POINTER(const uint8_t, rgb), p.rows = rows, p.columns = columns, p.row_step = row_step;
  WITH_ROOM(float, 3 * BLOCK, finite = work(&p, FLOATS(fused), step, POINTER(uint8_t, out), room));
  return PyBool_FromLong(finite);
}

static PyMethodDef methods[] = {
    SUPPORTS,
    METHOD(luma, "(...): luma of an RGB picture; see ops/native_colour.py."),
    METHOD(merge, "(...): a luma under the chroma of an RGB picture."),
    END_OF_METHODS};

DEFINE_MODULE(_colour, "Luma and chroma of 8-bit pictures.")
