// SPDX-License-Identifier: Apache-2.0
// The oldest kernel that dwell works with, and the running one.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/base/result.h"

namespace dwell {

struct KernelVersion {
  unsigned major, minor;
  auto operator<=>(const KernelVersion&) const = default;
};

// The oldest that is tested. What dwell cannot do without came with 5.17 (bpf_loop, bpf_find_vma) and 5.18
// (bpf_copy_from_user_task).
inline constexpr KernelVersion kOldestKernel{6, 1};

std::optional<KernelVersion> parse_kernel_version(std::string_view release);  // "6.1.0-50-cloud-amd64"
std::string kernel_release();                                                // of this kernel, as uname -r

// Ends what needs BPF before anything is loaded: Exit::kUnsupported on an older kernel.
Result<void> require_kernel();
Result<void> require_version(std::string_view release);

}  // namespace dwell
