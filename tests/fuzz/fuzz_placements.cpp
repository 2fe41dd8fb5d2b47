// SPDX-License-Identifier: Apache-2.0
// Code of a function to be probed: the first byte is the shape, the rest the code.
#include <cstdlib>
#include <span>

#include "userspace/probes/planner.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell;
  if (size < 1) return 0;
  std::span<const std::byte> code = std::as_bytes(std::span(data + 1, size - 1));
  auto shape = static_cast<dwell_probe_shape>(data[0] % DWELL_SHAPES);
  PlacementNeed need = need_of(shape);
  TrapAbilities abilities{.nop5_is_a_call = (data[0] & 0x80) != 0, .long_nops_emulated = (data[0] & 0x40) != 0};
  std::vector<Placement> placements = plan_placements({code, 0x1000}, need, abilities, {});
  for (std::size_t i = 0; i < placements.size(); ++i) {
    const Placement& place = placements[i];
    if (place.offset >= code.size()) std::abort();
    if (need.returns && place.cfa_offset != 8) std::abort();          // the return address must be on top
    if (i > 0 && place.cost_ns < placements[i - 1].cost_ns) std::abort();  // cheapest first
  }
  const BranchRange kAll[] = {{0x1000, 0x1000 + size}};
  if (branch_targets_within(code, 0x1000, kAll).size() > size) std::abort();
  return 0;
}
