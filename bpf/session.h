/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * On which side of a call a program of a uprobe session runs. The kernel's function for it has no argument in
 * Linux 6.13 to 7.1, and the context as its argument since 7.2. libbpf refuses an object whose prototype is not
 * the kernel's, and an object that names a function that the kernel lacks, though nothing in it is loaded that
 * calls it. So what has session programs is built in each of these forms, and userspace opens the one that fits
 * (userspace/probes/session_form.h).
 */
#ifndef DWELL_BPF_SESSION_H
#define DWELL_BPF_SESSION_H

#include "bpf/vmlinux.h"
#include <bpf/bpf_helpers.h>

#define DWELL_NO_SESSIONS 0     /* session programs are in the object, but can't be loaded */
#define DWELL_SESSION_PLAIN 1   /* bool bpf_session_is_return(void) */
#define DWELL_SESSION_CONTEXT 2 /* bool bpf_session_is_return(void *context) */

#ifndef DWELL_SESSION_FORM
#define DWELL_SESSION_FORM DWELL_NO_SESSIONS
#endif

#if DWELL_SESSION_FORM == DWELL_SESSION_CONTEXT
extern bool bpf_session_is_return(void *context) __ksym __weak;
static __always_inline bool dwell_at_return(void *ctx) { return bpf_session_is_return(ctx); }
#elif DWELL_SESSION_FORM == DWELL_SESSION_PLAIN
extern bool bpf_session_is_return(void) __ksym __weak;
static __always_inline bool dwell_at_return(void *ctx) { return bpf_session_is_return(); }
#else
static __always_inline bool dwell_at_return(void *ctx) { return false; }
#endif

#endif /* DWELL_BPF_SESSION_H */
