// SPDX-License-Identifier: Apache-2.0
// How many probes a recording has room for: each has an index below DWELL_MAX_PROBES in the tables of the
// kernel's side, from 1 on.
#pragma once

#include <algorithm>
#include <cstddef>

#include "bpf/tracer.h"

namespace dwell {

// Of `wanted` more, where the next one would get the index `next`.
inline std::size_t probes_that_fit(std::size_t next, std::size_t wanted) {
  return std::min(wanted, std::max<std::size_t>(next, DWELL_MAX_PROBES) == next ? 0 : DWELL_MAX_PROBES - next);
}

}  // namespace dwell
