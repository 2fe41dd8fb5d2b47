// SPDX-License-Identifier: Apache-2.0
// From the memory tracer's records to typed events.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>

#include "bpf/events.h"
#include "userspace/memory/event.h"
#include "userspace/collect/stack_table.h"

namespace dwell {

inline MemoryKind kind_of(const dwell_map_record& record) {
  if (!(record.flags & MAP_ANONYMOUS)) return MemoryKind::kFile;
  return record.protection == PROT_NONE ? MemoryKind::kReserved : MemoryKind::kMapping;
}

// 0: none of the memory tracer's.
inline std::size_t memory_record_size(std::uint8_t type) {
  switch (type) {
    case DWELL_ALLOC:
      return sizeof(dwell_alloc_record);
    case DWELL_FREE:
    case DWELL_FREE_INNER:
    case DWELL_REALLOC_BEGIN:
      return sizeof(dwell_free_record);
    case DWELL_REALLOC_END:
      return sizeof(dwell_realloc_record);
    case DWELL_MAP:
    case DWELL_UNMAP:
      return sizeof(dwell_map_record);
    default:
      return 0;
  }
}

// Hands the record's event to `apply(const Alloc&)` and so on. False: it is none of the memory tracer's, or
// too short.
template <typename Apply>
bool decode_memory(const dwell_header& h, ProcessSlot process, std::span<const std::byte> bytes,
                   StackTable& stacks, Apply&& apply) {
  std::size_t size = memory_record_size(h.type);
  if (!size || bytes.size() < size) return false;
  const void* data = bytes.data();
  auto stack_of = [&](std::uint64_t identity, std::uint64_t time_ns) {
    return identity ? stacks.find(identity, h.probe, time_ns) : StackId::kUnknown;
  };
  const auto& alloc = *static_cast<const dwell_alloc_record*>(data);
  const auto& free = *static_cast<const dwell_free_record*>(data);
  const auto& realloc = *static_cast<const dwell_realloc_record*>(data);
  const auto& map = *static_cast<const dwell_map_record*>(data);
  switch (h.type) {
    case DWELL_ALLOC:
      apply(Alloc{alloc.time_ns, alloc.address, alloc.size, stack_of(alloc.stack, alloc.time_ns), h.tid, process});
      break;
    case DWELL_FREE:
    case DWELL_FREE_INNER:
      apply(Free{free.time_ns, free.address, h.tid, process, h.type == DWELL_FREE_INNER});
      break;
    case DWELL_REALLOC_BEGIN:
      apply(ReallocBegin{free.time_ns, free.address, h.tid, process});
      break;
    case DWELL_REALLOC_END:
      apply(ReallocEnd{realloc.time_ns, realloc.old_address, realloc.address, realloc.size,
                       stack_of(realloc.stack, realloc.time_ns), h.tid, process});
      break;
    case DWELL_MAP:
      apply(Map{map.time_ns, map.address, map.size, map.old_address, map.old_size, kind_of(map),
                stack_of(map.stack, map.time_ns), h.tid, process});
      break;
    case DWELL_UNMAP:
      apply(Unmap{map.time_ns, map.address, map.size, h.tid, process});
      break;
  }
  return true;
}

}  // namespace dwell
