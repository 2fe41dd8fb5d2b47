// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/timers/timers.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <fmt/core.h>

#include "userspace/go/runtime/processors.h"

namespace dwell {
namespace {

constexpr std::size_t kTimerSize = 96;

GoTimerKind kind_of(std::string_view callback) {
  if (callback == "time.sendTime") return GoTimerKind::kChannel;
  if (callback == "time.goFunc") return GoTimerKind::kFunction;
  if (callback == "runtime.goroutineReady") return GoTimerKind::kSleep;
  bool deadline = callback.rfind("runtime.netpoll", 0) == 0 && callback.ends_with("Deadline");
  return deadline ? GoTimerKind::kDescriptor : GoTimerKind::kOther;
}

class Reader {
 public:
  explicit Reader(const GoRuntime& runtime) : runtime_(runtime), layout_(runtime.layout()) {}

  GoTimers run() {
    for (std::uint64_t processor : find_processors(runtime_)) {
      std::vector<std::uint64_t> addresses = timers_of(runtime_, processor);
      std::erase_if(addresses, [this](std::uint64_t address) { return !seen_.insert(address).second; });
      read(addresses);
    }
    return std::move(timers_);
  }

 private:
  void read(const std::vector<std::uint64_t>& addresses) {
    std::string bytes(addresses.size() * kTimerSize, '\0');
    std::vector<MemoryPiece> pieces;
    for (std::size_t i = 0; i < addresses.size(); ++i)
      pieces.push_back({addresses[i], kTimerSize, bytes.data() + i * kTimerSize});
    runtime_.memory().read_pieces(pieces);
    for (const MemoryPiece& piece : pieces) take(piece);
  }

  void take(const MemoryPiece& piece) {
    std::string_view bytes(piece.to, kTimerSize);
    if (!piece.read) {
      ++timers_.torn;
      return;
    }
    GoTimer timer;
    timer.address = piece.address;
    timer.when_ns = when_of(bytes);
    if (!timer.when_ns) return;
    timer.period_ns = field_of<std::uint64_t>(bytes, layout_.timer_period);
    timer.argument = field_of<std::uint64_t>(bytes, layout_.timer_argument + 8);  // behind its type
    timer.callback = code_of(field_of<std::uint64_t>(bytes, layout_.timer_function));
    std::optional<GoTimerKind> kind = kind_at(timer.callback);
    if (!kind) {
      ++timers_.torn;
      return;
    }
    timer.kind = *kind;
    if (timer.kind == GoTimerKind::kFunction) {
      timer.function = code_of(timer.argument);
      if (is_of_context(timer.function)) timer.kind = GoTimerKind::kContext;
    }
    timers_.pending.push_back(timer);
  }

  // 0 if it is not pending: a timer that was stopped stays listed until the runtime clears it away.
  std::uint64_t when_of(std::string_view bytes) const {
    std::uint64_t when = field_of<std::uint64_t>(bytes, layout_.timer_when);
    constexpr int kFirstWithFlags = 23;
    if (layout_.minor >= kFirstWithFlags) {
      constexpr std::size_t kFlags = 9;
      constexpr std::uint8_t kZombie = 4;
      return field_of<std::uint8_t>(bytes, kFlags) & kZombie ? 0 : when;
    }
    constexpr std::size_t kNextWhen = 56, kStatus = 64;
    enum : std::uint32_t { kNone = 0, kDeleted = 3, kRemoved = 5, kEarlier = 7, kLater = 8 };
    std::uint32_t status = field_of<std::uint32_t>(bytes, kStatus);
    if (status == kNone || status == kDeleted || status == kRemoved) return 0;
    if (status == kEarlier || status == kLater) return field_of<std::uint64_t>(bytes, kNextWhen);
    return when;
  }

  std::uint64_t code_of(std::uint64_t function) {
    auto [found, is_new] = code_.try_emplace(function, 0);
    if (is_new) found->second = runtime_.memory().load<std::uint64_t>(function).value_or(0);
    return found->second;
  }

  // None if it is no function's code.
  std::optional<GoTimerKind> kind_at(std::uint64_t callback) {
    auto [found, is_new] = kinds_.try_emplace(callback, std::nullopt);
    if (is_new && runtime_.frames().is_entry(callback))
      found->second = kind_of(runtime_.frames().function_at(callback));
    return found->second;
  }

  bool is_of_context(std::uint64_t function) {
    auto [found, is_new] = of_context_.try_emplace(function, false);
    if (is_new) found->second = runtime_.frames().function_at(function).rfind("context.", 0) == 0;
    return found->second;
  }

  const GoRuntime& runtime_;
  const GoLayout& layout_;
  GoTimers timers_;
  absl::flat_hash_set<std::uint64_t> seen_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> code_;  // by function value
  absl::flat_hash_map<std::uint64_t, std::optional<GoTimerKind>> kinds_;
  absl::flat_hash_map<std::uint64_t, bool> of_context_;  // by code
};

}  // namespace

Result<GoTimers> read_timers(const GoRuntime& runtime) {
  if (!runtime.layout().p_timers)
    return Error{
        fmt::format("the timers of {} are not laid out as dwell knows them", runtime.module().version), "",
        Exit::kUnsupported};
  return Reader(runtime).run();
}

}  // namespace dwell
