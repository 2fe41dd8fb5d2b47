// SPDX-License-Identifier: Apache-2.0
// How times and their distributions read.
#pragma once

#include <string>

#include "userspace/clocks/report_model.h"

namespace dwell {

std::string short_ns(double ns);                             // "1.2 µs"
std::string histogram_text(const TimeHistogram& histogram);  // "half below 65.5 µs, 99 % below 1.0 ms"

}  // namespace dwell
