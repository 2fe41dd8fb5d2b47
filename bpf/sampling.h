/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Poisson sampling by bytes: every byte that is asked for has the same chance, 1/period, to be the one
 * that makes its block a sample. The distance to the next such byte is exponential with mean `period`, so
 * a block of s bytes is sampled with probability 1 - exp(-s/period), whatever came before it.
 *
 * Plain C in integers, since BPF has no floating point; compiled by a unit test too.
 */
#ifndef DWELL_BPF_SAMPLING_H
#define DWELL_BPF_SAMPLING_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* log2(1 + i/64) in units of 2^-16. */
static const __u32 dwell_log2_table[65] = {
    0, 1466, 2909, 4331, 5732, 7112, 8473, 9814, 11136, 12440,
    13727, 14996, 16248, 17484, 18704, 19909, 21098, 22272, 23433, 24579,
    25711, 26830, 27936, 29029, 30109, 31178, 32234, 33279, 34312, 35334,
    36346, 37346, 38336, 39316, 40286, 41246, 42196, 43137, 44068, 44990,
    45904, 46809, 47705, 48593, 49472, 50344, 51207, 52063, 52911, 53751,
    54584, 55410, 56229, 57040, 57845, 58643, 59434, 60219, 60997, 61769,
    62534, 63294, 64047, 64794, 65536,
};

/* log2(x) in units of 2^-16, for x > 0; off by less than 6e-5. */
static inline __u32 dwell_log2(__u32 x) {
  __u32 exponent = 0;
  __u32 value = x;
  if (value >> 16) exponent += 16, value >>= 16;
  if (value >> 8) exponent += 8, value >>= 8;
  if (value >> 4) exponent += 4, value >>= 4;
  if (value >> 2) exponent += 2, value >>= 2;
  if (value >> 1) exponent += 1;
  __u32 mantissa = x << (31 - exponent); /* the leading one at bit 31 */
  __u32 index = (mantissa >> 25) & 63;
  __u32 fraction = (mantissa >> 9) & 0xffff;
  __u32 low = dwell_log2_table[index];
  __u32 high = dwell_log2_table[index + 1];
  return (exponent << 16) + low + (((high - low) * fraction) >> 16);
}

/* -ln(random / 2^32) * period: bytes until the next sampled byte. `period` below 2^40. */
static inline __u64 dwell_next_sample(__u32 random, __u64 period) {
  __u64 minus_log2 = (32u << 16) - dwell_log2(random | 1);
  __u64 minus_ln = (minus_log2 * 45426) >> 16; /* times ln 2 */
  __u64 distance = (minus_ln * (period >> 8)) >> 8;
  if (period < 65536) distance = (minus_ln * period) >> 16;
  return distance ? distance : 1;
}

#endif /* DWELL_BPF_SAMPLING_H */
