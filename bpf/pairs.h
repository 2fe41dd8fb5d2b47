/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Resources that are taken and given back (--pair): what the cookie of their probes says besides, and their records. Plain C,
 * compiled by both sides.
 *
 * A taking is a dwell_alloc_record of type DWELL_PAIR_TAKEN, sent when the resource is the caller's; a giving back a
 * dwell_free_record of type DWELL_PAIR_GIVEN, sent while it still is. `address` is the resource's value, whatever that is. `tid` is
 * no thread where a Go function was called, but tells its goroutine from others.
 */
#ifndef DWELL_BPF_PAIRS_H
#define DWELL_BPF_PAIRS_H

#include "bpf/events.h"
#include "bpf/probe_shapes.h"

enum { /* dwell_header.type; no other tracer's */
       DWELL_PAIR_TAKEN = 107,
       DWELL_PAIR_GIVEN = 108,
};

/*
 * In the span of the cookie:
 *
 *  15       14   8    7       6  4       3      2     0
 * +--------+--------+--------+--------+--------+----------+
 * | always |  pair  | number | size   | stored | argument |
 * +--------+--------+--------+--------+--------+----------+
 *
 * Argument: of the resource, from 1; 0: what the function returns. Stored: the argument points to where the
 * resource is stored, if the function returns 0. Number: an int, of which a negative one is a failure and 0
 * is none. Size: the argument that says how much is taken, 0: none does. Of a function whose return is looked
 * at, an argument that is not stored is itself the resource, which the caller has if the function returns 0;
 * always: whatever it returns. Of a Go function, argument and size are words, and at its return instructions the argument is a
 * word of what it returns.
 */
#define DWELL_MOST_PAIRS 32

static inline unsigned dwell_pair_span(unsigned pair, unsigned argument, unsigned stored, unsigned number,
                                       unsigned size, unsigned always) {
  return (always & 1) << 15 | (pair & 0x7f) << 8 | (number & 1) << 7 | (size & 7) << 4 | (stored & 1) << 3 |
         (argument & 7);
}
static inline unsigned dwell_pair_of(unsigned span) { return span >> 8 & 0x7f; }
static inline unsigned dwell_pair_argument(unsigned span) { return span & 7; }
static inline unsigned dwell_pair_is_stored(unsigned span) { return span >> 3 & 1; }
static inline unsigned dwell_pair_is_number(unsigned span) { return span >> 7 & 1; }
static inline unsigned dwell_pair_is_always(unsigned span) { return span >> 15 & 1; }
static inline unsigned dwell_pair_size_argument(unsigned span) { return span >> 4 & 7; }

/* In the flags of the cookie, of what gives back: several functions of the pair do, and one may call another. */
#define DWELL_PAIR_SEVERAL DWELL_PROBE_NESTS

#endif /* DWELL_BPF_PAIRS_H */
