// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/stacks.h"

#include <algorithm>

#include "bpf/events.h"
#include "userspace/recording/codec.h"

namespace dwell {

void GoStacks::map(std::vector<CodeRange> code) { code_.replace(std::move(code)); }

GoStack GoStacks::stack(GoFrames& frames, std::span<const std::uint64_t> pcs, std::span<const GoCall> calls) {
  std::vector<std::uint32_t> locations;
  bool interrupted = false;
  for (std::uint64_t pc : pcs) {
    const GoStep step = frames.step(pc);
    locations.push_back(location(frames, pc, !interrupted && pc != step.entry));
    interrupted = step.is_injected;
  }
  return intern(locations, calls);
}

GoStack GoStacks::call(GoFrames& frames, std::uint64_t pc, const GoCall& call) {
  std::uint32_t at = location(frames, pc, pc != frames.step(pc).entry);
  return intern({&at, 1}, {&call, 1});
}

GoStack GoStacks::profile_stack(GoFrames& frames, std::span<const std::uint64_t> pcs,
                                std::span<const GoCall> calls) {
  std::vector<std::uint32_t> locations;
  for (std::uint64_t pc : frames.return_addresses(pcs)) locations.push_back(location(frames, pc, true));
  return intern(locations, calls);
}

std::uint32_t GoStacks::location(GoFrames& frames, std::uint64_t pc, bool return_address) {
  std::uint32_t index = writer_.add_location(code_.locate(pc, return_address));
  auto [named, fresh] = names_.try_emplace(index);
  if (!fresh) return index;
  for (const GoCall& call : frames.calls_at(pc, return_address))
    named->second.frames.push_back({call.function, "", call.file, call.line});
  not_written_.push_back(index);
  return index;
}

GoStack GoStacks::intern(std::span<const std::uint32_t> locations, std::span<const GoCall> calls) {
  GoStack result;
  if (locations.empty()) return result;
  dwell_stack_end end = locations.size() > kMaxStackDepth ? DWELL_STACK_TOO_DEEP : DWELL_STACK_COMPLETE;
  result.stack = writer_.add_stack(locations, static_cast<std::uint8_t>(end));
  if (result.stack == StackId::kUnknown) ++refused_;
  for (const GoCall& call : calls) result.hidden.push_back(call.hidden);
  return result;
}

Result<void> GoStacks::write_names() {
  std::sort(not_written_.begin(), not_written_.end());
  Result<void> written;
  for (std::size_t i = 0; written && i < not_written_.size();) {
    std::uint32_t first = not_written_[i];
    std::vector<LocationSymbol> run;
    for (; i < not_written_.size() && not_written_[i] == first + run.size(); ++i)
      run.push_back(names_.at(not_written_[i]));
    written = writer_.write_symbols(first, run);
  }
  not_written_.clear();
  return written;
}

}  // namespace dwell
