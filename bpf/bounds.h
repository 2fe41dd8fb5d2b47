/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bounds that every verifier sees.
 *
 * A helper takes a variable size only if the verifier knows a bound of the very register that is passed. A
 * comparison in C gives no such promise: the compiler may compare a copy, compare size - 1 instead, or spill
 * the value before, and kernels up to 6.17 carry the bound from none of these back to the register. Whether a
 * program loads would then hang on register allocation. So every variable size and every variable offset that
 * goes to a helper passes through here: the comparison is one instruction on the register that comes out.
 */
#ifndef DWELL_BPF_BOUNDS_H
#define DWELL_BPF_BOUNDS_H

#include "bpf/vmlinux.h"

/* `value`, or `most` if it is larger. `most` is a constant that fits into 31 bits. What the program means by a
 * value that is too large it says before, in C: this is for the verifier. */
#define DWELL_AT_MOST(value, most)                                                    \
  ({                                                                                  \
    __u64 bounded_ = (value);                                                         \
    asm volatile("if %0 <= %1 goto +1\n%0 = %1" : "+r"(bounded_) : "i"((__u32)(most))); \
    bounded_;                                                                         \
  })

#endif /* DWELL_BPF_BOUNDS_H */
