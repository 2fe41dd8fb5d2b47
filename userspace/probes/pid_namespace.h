// SPDX-License-Identifier: Apache-2.0
// dwell's own PID namespace. Its ids are those that every part of userspace means by a PID or TID, and that
// BPF programs send and look up (bpf/pid_namespace.h).
#pragma once

#include <cstdint>

#include "userspace/base/result.h"

struct bpf_object;

namespace dwell {

struct PidNamespace {
  std::uint32_t level = 0;  // how many it lies below the initial one
  std::uint32_t inode = 0;  // of /proc/self/ns/pid
};

// A namespace below the initial one is found by a small BPF program, once a process.
Result<PidNamespace> own_pid_namespace();

// For an object that includes bpf/pid_namespace.h, between open and load: whose ids its programs are to speak
// of.
Result<void> tell_pid_namespace(bpf_object* object);

}  // namespace dwell
