/* What the compiled modules share: instruction sets by name, addresses out of Python's numbers, errors, and set-up.
 *
 * Python hands over bare addresses (`data_ptr()` of tensors that it keeps), sizes and steps. The Python half checks
 * types, shapes and layouts beforehand; the C half, whether it has code for this processor and that many channels.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Instruction sets that kernels are compiled for, by name: "avx512_bf16", "avx512", "avx2" and "portable". */
#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,avx512bf16")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define TARGET_AVX2 __attribute__((target("avx2,fma")))
#endif

/* Whether this processor runs the set of that name. */
static int runs_here(const char *name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (!strcmp(name, "avx512_bf16")) return avx512 && __builtin_cpu_supports("avx512bf16");
  if (!strcmp(name, "avx512")) return avx512;
  if (!strcmp(name, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return !strcmp(name, "portable");
}

/* The form of `kernel` (see each_set.h) for the set of that name, `portable` for the portable set; NULL where the
 * processor does not run the set. */
#if defined(__x86_64__)
#define FORM_FOR(name, kernel, portable)                 \
  (!runs_here(name)               ? NULL                 \
   : !strcmp(name, "avx512_bf16") ? kernel##_avx512_bf16 \
   : !strcmp(name, "avx512")      ? kernel##_avx512      \
   : !strcmp(name, "avx2")        ? kernel##_avx2        \
                                  : portable)
#else
#define FORM_FOR(name, kernel, portable) (runs_here(name) ? portable : NULL)
#endif

/* The pointer that Python passed as a number; 0 is NULL. */
#define POINTER(type, address) ((type *)(uintptr_t)(address))
#define FLOATS(address) POINTER(const float, address)
#define BF16(address) POINTER(const uint16_t, address)
#define PAIRS(address) POINTER(const uint32_t, address) /* words of two bfloat16 */

/* Raise ValueError. */
static PyObject *refuse(const char *why) {
  PyErr_SetString(PyExc_ValueError, why);
  return NULL;
}

/* Run a statement while other Python threads go on. */
#define WITHOUT_GIL(...)   \
  do {                     \
    Py_BEGIN_ALLOW_THREADS \
    __VA_ARGS__;           \
    Py_END_ALLOW_THREADS   \
  } while (0)

/* Likewise, where the statement finds `room` for `size` values of `type`; returns with MemoryError if there is none. */
#define WITH_ROOM(type, size, ...)                    \
  do {                                                \
    type *room = PyMem_Malloc(sizeof(type) * (size)); \
    if (room == NULL) return PyErr_NoMemory();        \
    WITHOUT_GIL(__VA_ARGS__);                         \
    PyMem_Free(room);                                 \
  } while (0)

/* The method `supports`, given an expression in `name` that tells whether the kernel of that set can run. */
#define DEFINE_SUPPORTS(available)                                         \
  static PyObject *supports(PyObject *Py_UNUSED(module), PyObject *args) { \
    const char *name;                                                      \
    if (!PyArg_ParseTuple(args, "s", &name)) return NULL;                  \
    return PyBool_FromLong(available);                                     \
  }

/* An entry of `methods`, whose documentation begins with the function's name. */
#define METHOD(function, rest) {#function, function, METH_VARARGS, #function rest}
#define SUPPORTS METHOD(supports, "(name): whether this processor runs that instruction set.")
#define END_OF_METHODS {NULL, NULL, 0, NULL}

/* The module `name`, which has the functions in `methods`. */
#define DEFINE_MODULE(name, documentation)                                                           \
  static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, #name, documentation, -1, methods}; \
  PyMODINIT_FUNC PyInit_##name(void) { return PyModule_Create(&definition); }
