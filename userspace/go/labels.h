// SPDX-License-Identifier: Apache-2.0
// The labels that a program put on a goroutine for its profiles (pprof.Do), which the goroutines it starts
// inherit.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "userspace/go/go_runtime.h"

namespace dwell {

using GoLabels = std::vector<std::pair<std::string, std::string>>;  // sorted by key

GoLabels read_labels(const GoRuntime& runtime, std::uint64_t address);

}  // namespace dwell
