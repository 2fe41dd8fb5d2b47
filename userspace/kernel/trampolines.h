// SPDX-License-Identifier: Apache-2.0
// Whether BPF programs can be attached to the kernel's own functions (fentry).
#pragma once

namespace dwell {

// Tried, with a program that does nothing. Some hypervisors do not let the kernel patch its code.
bool kernel_has_trampolines();

}  // namespace dwell
