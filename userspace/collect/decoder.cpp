// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/decoder.h"

#include <sys/mman.h>

#include <algorithm>

namespace dwell {

void Decoder::learn_stack(const void* data, std::size_t size) {
  const auto* record = static_cast<const dwell_stack_record*>(data);
  if (size < sizeof(*record) || record->count > DWELL_MAX_FRAMES ||
      size < sizeof(*record) + record->count * sizeof(std::uint64_t)) {
    ++undecodable_;
    return;
  }
  const AddressSpace& space = sink_.address_space(record->h.process);
  std::vector<std::uint32_t> locations(record->count);
  for (std::uint32_t i = 0; i < record->count; ++i) {
    bool exact = record->exact[i / 64] >> (i % 64) & 1;
    locations[i] = writer_.add_location(space.locate(record->pcs[i], !exact));
  }
  auto end = static_cast<dwell_stack_end>(record->end);
  bool curable = end == DWELL_STACK_ASYNC || end == DWELL_STACK_NO_MAPPING || end == DWELL_STACK_TABLE_PENDING;
  if (curable && record->count) sink_.stack_cut(record->h.process, end, record->pcs[record->count - 1]);
  stacks_.learn(record->stack, std::move(locations), record->end);
}

void Decoder::tell_process(const dwell_process_record& record) {
  using Kind = ProcessNews::Kind;
  Kind kind = Kind::kThreadExited;
  switch (record.h.type) {
    case DWELL_FORK:
      kind = Kind::kForked;
      break;
    case DWELL_EXEC:
      kind = Kind::kExecuted;
      break;
    case DWELL_EXIT:
      kind = Kind::kExited;
      break;
  }
  sink_.process({kind, record.h.process, record.h.tid, record.other_id, record.time_ns});
}

MemoryKind Decoder::kind_of(const dwell_map_record& record) {
  if (!(record.flags & MAP_ANONYMOUS)) return MemoryKind::kFile;
  return record.protection == PROT_NONE ? MemoryKind::kReserved : MemoryKind::kMapping;
}

}  // namespace dwell
