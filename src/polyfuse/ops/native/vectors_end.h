/* Takes back what `vectors.h` and the includer defined for one instruction set. */

#undef VF
#undef VFU
#undef VI
#undef LOAD
#undef STORE
#undef SPLAT
#undef RECIPROCAL
#undef MAC
#undef WORD
#undef TARGET
#undef LANES
#undef CHANNEL_BLOCK
#undef COLUMN_BLOCK
#undef NAME
#undef USE_BF16
