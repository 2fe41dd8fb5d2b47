// SPDX-License-Identifier: Apache-2.0
// The labels that a program put on a goroutine for its profiles (pprof.Do), which the goroutines it starts
// inherit.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "userspace/go/runtime/runtime.h"
#include "userspace/go/record/look.h"

namespace dwell {

GoLabels read_labels(const GoRuntime& runtime, std::uint64_t address);

}  // namespace dwell
