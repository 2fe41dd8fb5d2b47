// SPDX-License-Identifier: Apache-2.0
// The four programs of an object that follows calls from their entry to their end, by the names that such objects give them.
#pragma once

#include <bpf/libbpf.h>

#include <utility>

#include "userspace/probes/attach.h"

namespace dwell {

// Before the object is loaded: what this way of attaching needs.
template <class Programs>
void prepare_probe_programs(Programs& programs, AttachMethod method) {
  const std::pair<bpf_program*, ProbeRole> kRoles[] = {{programs.on_call, ProbeRole::kSession},
                                                       {programs.on_entry, ProbeRole::kEntry},
                                                       {programs.on_exit, ProbeRole::kEntry},
                                                       {programs.on_return, ProbeRole::kReturn}};
  for (const auto& [program, role] : kRoles) {
    bpf_program__set_autoload(program, role_needed(role, method));
    set_probe_role(program, role, method);
  }
}

// Once it is loaded.
template <class Programs>
ProbePrograms probe_programs_of(const Programs& programs) {
  auto fd = [](bpf_program* program) { return bpf_program__autoload(program) ? bpf_program__fd(program) : -1; };
  return {fd(programs.on_entry), fd(programs.on_call), fd(programs.on_return), fd(programs.on_exit)};
}

}  // namespace dwell
