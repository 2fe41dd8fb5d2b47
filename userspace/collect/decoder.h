// SPDX-License-Identifier: Apache-2.0
// Decoder: the one place where the records of bpf/events.h become typed events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "bpf/events.h"
#include "userspace/collect/address_space.h"
#include "userspace/collect/event.h"
#include "userspace/collect/stack_table.h"

namespace dwell {

// What the recorder has to act upon, and no ledger wants to know.
struct ProcessNews {
  enum class Kind { kForked, kExecuted, kExited, kThreadExited } kind;
  ProcessSlot process;
  Tid tid;
  std::uint64_t other_id;  // kForked: the child's tgid
  std::uint64_t time_ns;
};

class Decoder {
 public:
  struct Sink {
    std::function<void(const ProcessNews&)> process;
    // A walk stopped early at this pc, for want of something that userspace could bring.
    std::function<void(ProcessSlot, dwell_stack_end, std::uint64_t pc)> stack_cut;
    // The code of a process, as it is known now.
    std::function<const AddressSpace&(ProcessSlot)> address_space;
  };
  Decoder(StackTable& stacks, RecordingWriter& writer, Sink sink)
      : stacks_(stacks), writer_(writer), sink_(std::move(sink)) {}

  // Decodes one record and hands its event, if it is one, to `apply(const Alloc&)` and so on.
  template <typename Apply>
  void decode(const void* data, std::size_t size, Apply&& apply);

  std::uint64_t events() const { return events_; }
  std::uint64_t undecodable() const { return undecodable_; }

 private:
  void learn_stack(const void* data, std::size_t size);
  void tell_process(const dwell_process_record& record);
  StackId stack_of(std::uint64_t identity, std::uint16_t probe) {
    return identity ? stacks_.find(identity, probe) : StackId::kUnknown;
  }
  static MemoryKind kind_of(const dwell_map_record& record);

  StackTable& stacks_;
  RecordingWriter& writer_;
  Sink sink_;
  std::uint64_t events_ = 0, undecodable_ = 0;
};

template <typename Apply>
void Decoder::decode(const void* data, std::size_t size, Apply&& apply) {
  if (size < sizeof(dwell_header)) {
    ++undecodable_;
    return;
  }
  const auto& h = *static_cast<const dwell_header*>(data);
  auto as = [&]<typename Record>(Record) -> const Record* {
    if (size >= sizeof(Record)) return static_cast<const Record*>(data);
    ++undecodable_;
    return nullptr;
  };
  ++events_;
  switch (h.type) {
    case DWELL_ALLOC:
      if (auto* r = as(dwell_alloc_record{}))
        apply(Alloc{r->time_ns, r->address, r->size, stack_of(r->stack, h.probe), h.tid, h.process});
      return;
    case DWELL_FREE:
    case DWELL_FREE_INNER:
      if (auto* r = as(dwell_free_record{}))
        apply(Free{r->time_ns, r->address, h.tid, h.process, h.type == DWELL_FREE_INNER});
      return;
    case DWELL_REALLOC_BEGIN:
      if (auto* r = as(dwell_free_record{})) apply(ReallocBegin{r->time_ns, r->address, h.tid, h.process});
      return;
    case DWELL_REALLOC_END:
      if (auto* r = as(dwell_realloc_record{}))
        apply(ReallocEnd{r->time_ns, r->old_address, r->address, r->size, stack_of(r->stack, h.probe), h.tid,
                         h.process});
      return;
    case DWELL_MAP:
      if (auto* r = as(dwell_map_record{}))
        apply(Map{r->time_ns, r->address, r->size, r->old_address, r->old_size, kind_of(*r),
                  stack_of(r->stack, h.probe), h.tid, h.process});
      return;
    case DWELL_UNMAP:
      if (auto* r = as(dwell_map_record{})) apply(Unmap{r->time_ns, r->address, r->size, h.tid, h.process});
      return;
    case DWELL_STACK:
      --events_;
      learn_stack(data, size);
      return;
    case DWELL_EXEC:
      if (auto* r = as(dwell_process_record{})) {
        apply(Exec{r->time_ns, h.process});
        tell_process(*r);
      }
      return;
    case DWELL_EXIT:
      if (auto* r = as(dwell_process_record{})) {
        apply(ProcessExit{r->time_ns, h.process});
        tell_process(*r);
      }
      return;
    case DWELL_FORK:  // the recorder decides whether the child is followed, and tells the ledger
    case DWELL_THREAD_EXIT:
      if (auto* r = as(dwell_process_record{})) tell_process(*r);
      return;
    default:
      --events_;
      ++undecodable_;
  }
}

}  // namespace dwell
