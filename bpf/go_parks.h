/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where goroutines park and for how long, as it is summed up in the kernel: plain C, compiled by both sides.
 *
 * All of it is of one window, in which the probes are attached; userspace takes it away when the window
 * closes. A goroutine that was parked before the window is not known here until it runs: then first_run_ns
 * tells when.
 */
#ifndef DWELL_BPF_GO_PARKS_H
#define DWELL_BPF_GO_PARKS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* In the cookie of a probe, in the place of a shape. */
enum dwell_go_park_probe {
  DWELL_GO_PARK = 1, /* runtime.gopark: rcx is the wait reason */
  DWELL_GO_READY,    /* runtime.ready: rax is a goroutine that may run from now on */
  DWELL_GO_EXECUTE,  /* runtime.execute: rax is a goroutine that runs now, whoever woke it */
  DWELL_GO_CONTEND,  /* sync.(*Mutex).lockSlow: the mutex is locked */
};

enum dwell_go_site_kind {
  DWELL_GO_PARKED = 0,
  DWELL_GO_CONTENDED, /* counts only: whoever gets a mutex by spinning never parks */
};

struct dwell_go_site {
  __u64 stack; /* from the caller of the probed function on */
  __u8 process;
  __u8 kind;   /* dwell_go_site_kind */
  __u8 reason; /* the runtime's own number */
  __u8 unused[5];
};

struct dwell_go_site_sums {
  __u64 count; /* parks that ended; of a mutex: slow ways in */
  __u64 ns;
  __u64 max_ns;
  __u64 queued; /* of them: woken where it could be seen, and then waited for a processor */
  __u64 queued_ns;
};

struct dwell_goroutine_key {
  __u64 address;
  __u64 process;
};

struct dwell_goroutine {
  __u64 since_ns;     /* parked since; 0: it runs, or is about to */
  __u64 ready_ns;     /* woken at */
  __u64 first_run_ns; /* it ran for the first time in this window, and was not seen to park before; else 0 */
  struct dwell_go_site site;
};

#endif /* DWELL_BPF_GO_PARKS_H */
