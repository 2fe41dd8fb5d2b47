// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/seen_parked.h"

#include <optional>

#include "bpf/events.h"
#include "symbolizer/proc_maps.h"
#include "userspace/base/clock.h"
#include "userspace/go/goroutines/reader.h"

namespace dwell {
namespace {

// Of what a stack is made of; no stack that the kernel's side walks has it.
std::uint64_t identity_of(std::span<const std::uint64_t> pcs) {
  std::uint64_t hash = 0x60b0a7;
  for (std::uint64_t pc : pcs) {
    hash = (hash ^ pc) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
  }
  return hash ? hash : 1;
}

bool is_parked(const Goroutine& goroutine, GoFrames& frames) {
  return waits(goroutine) && goroutine.stack_state == GoStackState::kWhole && goroutine.pcs.size() > 1 &&
         frames.function_at(goroutine.pcs[0]) == "runtime.gopark";
}

}  // namespace

std::uint64_t GoStackIds::identity(std::span<const std::uint64_t> pcs) {
  std::uint64_t identity = identity_of(pcs);
  if (!stacks_.locations_of(identity).empty()) return identity;
  std::vector<std::uint32_t> locations;
  for (std::uint64_t pc : pcs) {
    std::optional<std::uint64_t> offset = module_.elf->offset_of_vaddr(pc - module_.bias);
    Location location{index_, offset.value_or(0), true};
    if (!offset || index_ < 0) location = {-1, pc, true};
    locations.push_back(writer_.add_location(location));
  }
  stacks_.learn(identity, std::move(locations), DWELL_STACK_COMPLETE);
  return identity;
}

std::int32_t module_index(pid_t pid, const GoModule& module, const ModuleTable& modules) {
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  if (!mappings) return -1;
  for (const Mapping& mapping : *mappings)
    if (mapping.is_file() && mapping.start <= module.text.begin && module.text.begin < mapping.end)
      return modules.find(mapping.device(), mapping.inode);
  return -1;
}

std::vector<SeenParked> see_parked(const GoRuntime& runtime, ProcessSlot process, GoStackIds& stacks) {
  std::vector<SeenParked> seen;
  (void)read_goroutines(runtime, [&](const Goroutine& goroutine) {
    if (!is_parked(goroutine, runtime.frames())) return;
    // A probe does not see the function that it stands in.
    std::uint64_t stack = stacks.identity(std::span(goroutine.pcs).subspan(1));
    // Of a tracer that counts in the kernel, a process's slot there is its index in the recording.
    seen.push_back({{goroutine.address, process},
                    {stack, static_cast<TargetSlot>(process), DWELL_GO_PARKED, goroutine.wait_reason},
                    monotonic_ns()});
  });
  return seen;
}

}  // namespace dwell
