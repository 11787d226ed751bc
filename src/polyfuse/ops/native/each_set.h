/* Includes KERNEL_FILE once for each instruction set of this architecture, the portable one if PORTABLE is defined.
 *
 * Each time it sees, and `vectors_end.h` at its end takes back,
 *   TARGET          attribute that lets the compiler use those instructions in a function
 *   LANES           floats in a vector (16, 8 or 4)
 *   CHANNEL_BLOCK   output channels held in registers while multiplying
 *   COLUMN_BLOCK    vectors of pixels held in registers
 *   NAME(x)         x with the instruction set's suffix
 *   USE_BF16        1: operands are pairs of bfloat16 in 32-bit words, 0: operands are float32
 */

#if defined(__x86_64__)
#define TARGET TARGET_AVX512_BF16
#define LANES 16
#define CHANNEL_BLOCK 8
#define COLUMN_BLOCK 3
#define NAME(x) x##_avx512_bf16
#define USE_BF16 1
#include KERNEL_FILE

#define TARGET TARGET_AVX512
#define LANES 16
#define CHANNEL_BLOCK 8
#define COLUMN_BLOCK 3
#define NAME(x) x##_avx512
#define USE_BF16 0
#include KERNEL_FILE

#define TARGET TARGET_AVX2
#define LANES 8
#define CHANNEL_BLOCK 4
#define COLUMN_BLOCK 3
#define NAME(x) x##_avx2
#define USE_BF16 0
#include KERNEL_FILE
#endif

#ifdef PORTABLE
#define TARGET
#define LANES 4
#define CHANNEL_BLOCK 4
#define COLUMN_BLOCK 3
#define NAME(x) x##_portable
#define USE_BF16 0
#include KERNEL_FILE
#endif
