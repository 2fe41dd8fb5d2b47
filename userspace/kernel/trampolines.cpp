// SPDX-License-Identifier: Apache-2.0
#include "userspace/kernel/trampolines.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdint>

#include "userspace/base/unique_fd.h"

namespace dwell {

bool kernel_has_trampolines() {
  bpf_insn nothing[2] = {};
  nothing[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  nothing[1].code = BPF_JMP | BPF_EXIT;
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY);
  int function = libbpf_find_vmlinux_btf_id("fd_install", BPF_TRACE_FENTRY);
  options.attach_btf_id = static_cast<std::uint32_t>(std::max(function, 0));
  UniqueFd program(function <= 0 ? -1 : bpf_prog_load(BPF_PROG_TYPE_TRACING, "trampoline", "Dual BSD/GPL", nothing, 2, &options));
  return program.valid();
}

}  // namespace dwell
