// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/decoder.h"

#include <algorithm>

namespace dwell {

bool Decoder::learn_stack(const void* data, std::size_t size) {
  const auto* record = static_cast<const dwell_stack_record*>(data);
  if (size < sizeof(*record) || record->count > DWELL_MAX_FRAMES || record->end >= DWELL_STACK_ENDS ||
      size < sizeof(*record) + record->count * sizeof(std::uint64_t))
    return false;
  const AddressSpace& space = sink_.address_space(record->h.process);
  auto end = static_cast<dwell_stack_end>(record->end);
  bool curable =
      end == DWELL_STACK_ASYNC || end == DWELL_STACK_NO_MAPPING || end == DWELL_STACK_TABLE_PENDING;
  if (curable && record->count) sink_.stack_cut(record->h.process, end, record->pcs[record->count - 1]);
  // The walk may have met code that we don't know yet, and what is brought for it names this stack too.
  std::span pcs(record->pcs, record->count);
  auto unknown = std::ranges::find_if(pcs, [&](auto pc) { return space.locate(pc, true).module < 0; });
  if (!curable && unknown != pcs.end()) sink_.stack_cut(record->h.process, DWELL_STACK_NO_MAPPING, *unknown);
  std::vector<std::uint32_t> locations(record->count);
  for (std::uint32_t i = 0; i < record->count; ++i) {
    bool exact = record->exact[i / 64] >> (i % 64) & 1;
    locations[i] = writer_.add_location(space.locate(record->pcs[i], !exact));
  }
  stacks_.learn(record->stack, std::move(locations), record->end);
  return true;
}

bool Decoder::tell_process(const void* data, std::size_t size) {
  const auto& record = *static_cast<const dwell_process_record*>(data);
  if (size < sizeof record) return false;
  using Kind = ProcessNews::Kind;
  Kind kind = Kind::kThreadExited;
  switch (record.h.type) {
    case DWELL_FORK:
      kind = Kind::kForked;
      break;
    case DWELL_FORK_BELOW:
      kind = Kind::kForkedBelow;
      break;
    case DWELL_SPAWN:
      kind = Kind::kSpawned;
      break;
    case DWELL_EXEC:
      kind = Kind::kExecuted;
      break;
    case DWELL_EXIT:
      kind = Kind::kExited;
      break;
  }
  sink_.process({kind, record.h.process, sink_.process_of(record.h.process), record.h.tid, record.other_id,
                 record.time_ns});
  return true;
}

void Decoder::decode(const void* data, std::size_t size) {
  if (size < sizeof(dwell_header)) {
    ++undecodable_;
    return;
  }
  const auto& h = *static_cast<const dwell_header*>(data);
  bool known = false;
  switch (h.type) {
    case DWELL_STACK:
      known = learn_stack(data, size);
      break;
    case DWELL_FORK:
    case DWELL_FORK_BELOW:
    case DWELL_SPAWN:
    case DWELL_EXEC:
    case DWELL_EXIT:
    case DWELL_THREAD_EXIT:
      known = tell_process(data, size);
      events_ += known;
      break;
    default:
      ProcessSlot process = sink_.process_of(h.process);
      if (process == kNoProcess && h.process != DWELL_NO_SLOT) return;
      known = sink_.record(h, process, {static_cast<const std::byte*>(data), size});
      events_ += known;
  }
  undecodable_ += !known;
}

}  // namespace dwell
