// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/tracer.h"

#include <fmt/core.h>

#include "userspace/probes/probe_room.h"

namespace dwell {

std::size_t claim_probes(const TracerContext& context, std::size_t wanted, const std::string& of) {
  std::size_t fit = probes_that_fit(context.next_probe, wanted);
  if (fit == wanted) return fit;
  context.refused_probes += wanted - fit;
  context.note(fmt::format("{} functions of {} are not probed: a recording has room for {} probes", wanted - fit, of,
                           DWELL_MAX_PROBES - 1));
  return fit;
}

}  // namespace dwell
