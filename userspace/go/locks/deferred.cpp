// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/locks/deferred.h"

#include <array>

namespace dwell {
namespace {

constexpr std::uint32_t kOpenDeferInfo = 4;  // function data
constexpr std::size_t kMostInFrame = 8;      // bits of a byte
constexpr std::size_t kMostListed = 10'000;
constexpr int kFirstSlotsSideBySide = 22;    // and records without what an open-coded deferral needed

// Numbers of seven bits a byte, as the compiler writes them.
class Varints {
 public:
  Varints(const GoRuntime& runtime, std::uint64_t address) { memory_ = runtime.memory().text(address, bytes_, bytes_); }
  std::uint64_t next() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; at_ < memory_.size() && shift < 64; shift += 7) {
      auto byte = static_cast<std::uint8_t>(memory_[at_++]);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (!(byte & 0x80U)) return value;
    }
    ok_ = false;
    return 0;
  }
  bool ok() const { return ok_; }

 private:
  static constexpr std::size_t bytes_ = 64;
  std::string memory_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// Where the closures of a frame stand, below its variables' end, by their bit.
struct DeferSlots {
  std::uint64_t bits = 0;
  std::vector<std::uint64_t> closures;
};

std::optional<DeferSlots> read_slots(const GoRuntime& runtime, std::uint64_t address) {
  Varints numbers(runtime, address);
  DeferSlots slots;
  slots.bits = numbers.next();
  if (static_cast<int>(runtime.layout().minor) >= kFirstSlotsSideBySide) {
    std::uint64_t first = numbers.next();
    for (std::size_t i = 0; i < kMostInFrame; ++i) slots.closures.push_back(first - i * 8);
  } else {
    std::uint64_t count = std::min<std::uint64_t>(numbers.next(), kMostInFrame);
    slots.closures.resize(count);
    for (std::size_t i = count; i-- > 0;) slots.closures[i] = numbers.next();
  }
  return numbers.ok() ? std::optional(slots) : std::nullopt;
}

std::uint64_t function_data(const GoRuntime& runtime) {
  return runtime.memory().load<std::uint64_t>(runtime.module().moduledata + runtime.layout().module_read_only).value_or(0);
}

}  // namespace

std::vector<DeferredCall> deferred_in_frame(const GoRuntime& runtime, const GoFrameAt& frame, const WordReader& read) {
  const GoTable& table = runtime.module().table;
  std::optional<GoRecord> record = table.record_at(frame.pc);
  std::optional<std::uint32_t> offset = record ? table.data_offset(*record, kOpenDeferInfo) : std::nullopt;
  std::optional<DeferSlots> slots = offset ? read_slots(runtime, function_data(runtime) + *offset) : std::nullopt;
  if (!slots || !frame.depth) return {};
  std::uint64_t variables_end = frame.sp + frame.depth - 8;  // below the saved frame pointer
  auto bits = runtime.memory().load<std::uint8_t>(variables_end - slots->bits);
  std::vector<DeferredCall> calls;
  for (std::size_t i = 0; bits && i < slots->closures.size(); ++i) {
    if (!(*bits >> i & 1)) continue;
    if (std::uint64_t closure = read(variables_end - slots->closures[i]).value_or(0)) calls.push_back({closure, frame.sp});
  }
  return calls;
}

std::vector<DeferredCall> deferred_in_list(const GoRuntime& runtime, std::uint64_t goroutine) {
  constexpr std::uint64_t kFirst = 40, kStackPointerAt = 8, kClosureAt = 24;
  std::uint64_t link = static_cast<int>(runtime.layout().minor) >= kFirstSlotsSideBySide ? 32 : 40;
  std::vector<DeferredCall> calls;
  const ProcessMemory& memory = runtime.memory();
  std::uint64_t record = memory.load<std::uint64_t>(goroutine + kFirst).value_or(0);
  for (std::size_t i = 0; record && i < kMostListed; ++i) {
    std::uint64_t closure = memory.load<std::uint64_t>(record + kClosureAt).value_or(0);
    if (closure) calls.push_back({closure, memory.load<std::uint64_t>(record + kStackPointerAt).value_or(0)});
    record = memory.load<std::uint64_t>(record + link).value_or(0);
  }
  return calls;
}

}  // namespace dwell
