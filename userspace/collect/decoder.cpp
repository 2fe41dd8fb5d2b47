// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/decoder.h"

#include <algorithm>

namespace dwell {

namespace {

// What userspace can bring: a table, full rows, or the news that there is code.
bool is_curable(dwell_stack_end end) {
  return end == DWELL_STACK_ASYNC || end == DWELL_STACK_NO_MAPPING || end == DWELL_STACK_TABLE_PENDING;
}

WalkedStack walked_stack(const dwell_stack_record& record) {
  WalkedStack stack;
  stack.pcs.assign(record.pcs, record.pcs + record.count);
  for (std::uint32_t i = 0; i < record.count; ++i) stack.exact.push_back(record.exact[i / 64] >> (i % 64) & 1);
  stack.end = static_cast<std::uint8_t>(record.end);
  stack.time_ns = record.time_ns;
  return stack;
}

}  // namespace

Decoder::Decoder(StackTable& stacks, RecordingWriter& writer, Sink sink)
    : stacks_(stacks), writer_(writer), sink_(std::move(sink)), changing_(writer) {}

bool Decoder::learn_stack(const void* data, std::size_t size) {
  const auto* record = static_cast<const dwell_stack_record*>(data);
  if (size < sizeof(*record) || record->count > DWELL_MAX_FRAMES || record->end >= DWELL_STACK_ENDS ||
      size < sizeof(*record) + record->count * sizeof(std::uint64_t))
    return false;
  TargetSlot slot = record->h.process;
  const AddressSpace& space = sink_.address_space(slot);
  WalkedStack stack = walked_stack(*record);
  auto end = static_cast<dwell_stack_end>(record->end);
  if (is_curable(end) && record->count) {
    sink_.stack_cut(slot, end, stack.pcs.back());
    complete(*record, stack);
  }
  // The walk may have met code that we don't know yet, and what is brought for it names this stack too.
  auto unknown = std::ranges::find_if(stack.pcs, [&](auto pc) { return space.locate(pc, true, stack.time_ns).module < 0; });
  if (!is_curable(end) && unknown != stack.pcs.end()) sink_.stack_cut(slot, DWELL_STACK_NO_MAPPING, *unknown);
  bool was_empty = changing_.empty();
  changing_.keep(record->stack, slot, stack, space);
  if (was_empty && !changing_.empty())
    stacks_.ask([this](std::uint64_t identity, std::uint64_t time_ns) { return meaning_at(identity, time_ns); });
  std::vector<std::uint32_t> locations = ChangingStacks::locate(stack, space, writer_);
  stacks_.learn(record->stack, std::move(locations), stack.end);
  return true;
}

std::uint64_t Decoder::meaning_at(std::uint64_t identity, std::uint64_t time_ns) {
  const TargetSlot* owner = changing_.owner(identity);
  return owner ? changing_.meaning_at(identity, time_ns, sink_.address_space(*owner), stacks_) : identity;
}

// What lies on the stack above the frame where the walk ended comes just before the walk itself.
bool Decoder::keep_rest(const void* data, std::size_t size) {
  const auto* record = static_cast<const dwell_stack_rest*>(data);
  if (size < sizeof(*record) || record->size > size - sizeof(*record)) return false;
  StackRest rest{record->pc, record->sp, record->bp, record->exact != 0, {}};
  const auto* bytes = static_cast<const std::byte*>(data) + sizeof(*record);
  rest.bytes.assign(bytes, bytes + record->size);
  if (rests_.size() >= kMostRests) rests_.clear();  // their walks were lost
  rests_.insert_or_assign(record->stack, std::move(rest));
  return true;
}

void Decoder::complete(const dwell_stack_record& record, WalkedStack& stack) {
  auto rest = rests_.find(record.stack);
  if (rest == rests_.end()) return;
  if (sink_.complete) sink_.complete(record.h.process, rest->second, stack);
  rests_.erase(rest);
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
    case DWELL_STACK_REST:
      known = keep_rest(data, size);
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
