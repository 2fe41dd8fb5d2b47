// SPDX-License-Identifier: Apache-2.0
// A loss that has a length: microseconds in which a new program, or a new library, ran without its probes.
#pragma once

#include "userspace/recording/model.h"

namespace dwell {

inline constexpr LossKind kLateProbes{96};

}  // namespace dwell
