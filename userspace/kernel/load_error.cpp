// SPDX-License-Identifier: Apache-2.0
#include "userspace/kernel/load_error.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>

#include "userspace/kernel/kernel_version.h"

namespace dwell {
namespace {

constexpr const char* kReport = "please report this, with the kernel's version and all that the same command prints with -v";

bool can_load(const CapabilitySets& held) {
  return held.holds(Capability::kBpf) && held.holds(Capability::kPerfmon) && held.initial_namespace;
}

// A function that the kernel declares otherwise, or not at all.
bool is_about_function(const BpfComplaint& said) { return said.first.starts_with("extern (func ksym)"); }

}  // namespace

Error explain_bpf_failure(const std::string& doing, int error_number, const BpfComplaint& said, const CapabilitySets& held,
                          const std::string& kernel_release) {
  if (!said.field.empty())
    return {fmt::format("{}: the types of Linux {} have no {} that fits", doing, kernel_release, said.field),
            fmt::format("this kernel is unknown to this version of dwell: {}", kReport), Exit::kUnsupported};
  if (is_about_function(said))
    return {fmt::format("{}: {}", doing, said.first),
            fmt::format("this kernel is unknown to this version of dwell: {}", kReport), Exit::kUnsupported};
  // Without CAP_PERFMON it is the verifier that refuses.
  bool refused = error_number == EACCES || error_number == EPERM;
  if (refused && !can_load(held)) {
    Error error = system_error(doing, error_number, privilege_hint({Capability::kBpf, Capability::kPerfmon}, held));
    error.exit = Exit::kNotPermitted;
    return error;
  }
  if (!said.verifier.empty())
    return {fmt::format("{}: the verifier of Linux {} refuses {}: {}", doing, kernel_release, said.program, said.verifier),
            fmt::format("no privilege is missing, this is a fault of dwell on this kernel: {}", kReport),
            Exit::kUnsupported};
  Error error = system_error(doing, error_number, "what this kernel allows, command by command: dwell doctor");
  if (!said.first.empty()) error.what += " (" + said.first + ")";
  if (refused) error.hint = privilege_hint({Capability::kBpf, Capability::kPerfmon}, held);
  if (error_number == ENOMEM)
    error.hint = "a container's limit of memory counts for these buffers too: raise it, or take a smaller ring: --buffer 8M";
  return error;
}

Error bpf_error(const std::string& doing, int error_number) {
  return explain_bpf_failure(doing, error_number, last_bpf_complaint(), own_capabilities(), kernel_release());
}

Error load_error(const std::string& what, int error_number) {
  return bpf_error("load the BPF programs for " + what, error_number);
}

}  // namespace dwell
