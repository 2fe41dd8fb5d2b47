// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/reader.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/go/runtime/stack.h"

namespace dwell {
namespace {

constexpr std::size_t kAtOnce = 2048;
constexpr std::size_t kStackAtOnce = 8 << 10;
constexpr int kTries = 5;
constexpr std::size_t kCloseTogether = 256;  // bytes between two goroutines that are read with one piece

bool is_alive(GoStatus status) {
  return status != GoStatus::kIdle && status != GoStatus::kDead && status != GoStatus::kDeadExtra;
}

// What changes when a goroutine moves.
struct Position {
  std::uint64_t low, high, sp, pc, syscall_sp, syscall_pc, id;
  std::uint32_t status;
  bool operator==(const Position&) const = default;
};

class Reader {
 public:
  Reader(const GoRuntime& runtime, const GoroutineVisitor& visit, bool stacks)
      : runtime_(runtime), layout_(runtime.layout()), visit_(visit), stacks_(stacks) {}

  Result<LookFigures> run();
  void read_one(std::uint64_t address);

 private:
  struct Seen {
    std::uint64_t address = 0;
    std::size_t bytes = 0;  // where in goroutine_bytes_
    bool readable = false;
    Position position{};
    std::size_t stack = 0, stack_size = 0;  // where in stack_bytes_
  };

  void read_batch(const std::vector<std::uint64_t>& addresses);
  void read_structs(std::vector<Seen>& batch, std::string& bytes) const;
  void read_stacks(std::vector<Seen>& batch);
  void take(const Seen& seen, std::vector<Seen>& again);
  Position position_of(std::string_view g) const;
  Goroutine decode(std::uint64_t address, std::string_view g, const Position& position) const;
  std::string_view struct_of(const Seen& seen, const std::string& bytes) const {
    return std::string_view(bytes).substr(seen.bytes, layout_.g_size);
  }
  bool in_syscall(const Position& position) const {
    return GoStatus(position.status) == GoStatus::kSyscall && position.syscall_sp != 0;
  }

  const GoRuntime& runtime_;
  const GoLayout& layout_;
  const GoroutineVisitor& visit_;
  bool stacks_;
  LookFigures figures_;
  std::string goroutine_bytes_, verify_bytes_, stack_bytes_;
  std::vector<MemoryPiece> pieces_;
  Goroutine goroutine_;
  std::vector<std::uint64_t> pcs_;
};

Position Reader::position_of(std::string_view g) const {
  constexpr std::uint32_t kScanBit = 0x1000;
  auto word = [&](std::size_t offset) { return field_of<std::uint64_t>(g, offset); };
  return {word(0),
          word(8),
          word(kGoSavedSp),
          word(kGoSavedPc),
          word(layout_.g_syscall_sp),
          word(layout_.g_syscall_pc),
          word(layout_.g_id),
          field_of<std::uint32_t>(g, layout_.g_status) & ~kScanBit};
}

// Goroutines lie side by side in the heap: neighbours are read with one piece.
void Reader::read_structs(std::vector<Seen>& batch, std::string& bytes) const {
  std::sort(batch.begin(), batch.end(), [](const Seen& a, const Seen& b) { return a.address < b.address; });
  bytes.resize(batch.size() * (layout_.g_size + kCloseTogether));
  std::vector<MemoryPiece> pieces;
  std::vector<std::size_t> piece_of(batch.size());
  std::size_t used = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    std::uint64_t end = pieces.empty() ? 0 : pieces.back().address + pieces.back().size;
    if (pieces.empty() || batch[i].address < end || batch[i].address - end > kCloseTogether) {
      pieces.push_back({batch[i].address, layout_.g_size, bytes.data() + used});
    } else {
      used += batch[i].address - end;
      pieces.back().size += batch[i].address - end + layout_.g_size;
    }
    batch[i].bytes = used;
    used += layout_.g_size;
    piece_of[i] = pieces.size() - 1;
  }
  runtime_.memory().read_pieces(pieces);
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].readable = pieces[piece_of[i]].read;
}

void Reader::read_stacks(std::vector<Seen>& batch) {
  if (!stacks_) return;
  std::size_t total = 0;
  for (Seen& seen : batch) {
    seen.stack_size = 0;
    if (!seen.readable || !is_alive(GoStatus(seen.position.status))) continue;
    if (GoStatus(seen.position.status) == GoStatus::kRunning) continue;
    std::uint64_t sp = in_syscall(seen.position) ? seen.position.syscall_sp : seen.position.sp;
    if (sp < seen.position.low || sp >= seen.position.high) continue;
    seen.stack = total;
    seen.stack_size = std::min<std::uint64_t>(seen.position.high - sp, kStackAtOnce);
    total += seen.stack_size;
  }
  stack_bytes_.resize(total);
  pieces_.clear();
  for (const Seen& seen : batch) {
    std::uint64_t sp = in_syscall(seen.position) ? seen.position.syscall_sp : seen.position.sp;
    if (seen.stack_size) pieces_.push_back({sp, seen.stack_size, stack_bytes_.data() + seen.stack});
  }
  runtime_.memory().read_pieces(pieces_);
}

Goroutine Reader::decode(std::uint64_t address, std::string_view g, const Position& position) const {
  auto word = [&](std::size_t offset) { return offset ? field_of<std::uint64_t>(g, offset) : 0; };
  Goroutine goroutine;
  goroutine.address = address;
  goroutine.id = position.id;
  goroutine.status = GoStatus(position.status);
  goroutine.parent = word(layout_.g_parent);
  goroutine.creator_pc = word(layout_.g_creator);
  goroutine.start_pc = word(layout_.g_start);
  goroutine.labels = word(layout_.g_labels);
  goroutine.timer = word(layout_.g_timer);
  goroutine.thread = word(kGoThread);
  goroutine.stack_low = position.low;
  goroutine.stack_high = position.high;
  bool in_call = in_syscall(position);
  goroutine.sp = in_call ? position.syscall_sp : position.sp;
  goroutine.pc = in_call ? position.syscall_pc : position.pc;
  if (layout_.g_tracking_seq) goroutine.departures = field_of<std::uint8_t>(g, layout_.g_tracking_seq);
  if (waits(goroutine)) {
    goroutine.wait_reason = field_of<std::uint8_t>(g, layout_.g_wait_reason);
    goroutine.waiting = word(layout_.g_waiting);
  }
  // The runtime clears it when the goroutine goes on, and then not before the next wait.
  if (waits(goroutine) || goroutine.status == GoStatus::kSyscall)
    goroutine.wait_since_ns = word(layout_.g_wait_since);
  return goroutine;
}

// Hands the goroutine on if it has not moved since its stack was read, else puts it among those to read
// again.
void Reader::take(const Seen& seen, std::vector<Seen>& again) {
  std::string_view now = struct_of(seen, verify_bytes_);
  if (!seen.readable || !(position_of(now) == seen.position)) return again.push_back(seen);
  goroutine_ = decode(seen.address, now, seen.position);
  goroutine_.stack_state = GoStackState::kRunning;
  goroutine_.pcs.clear();
  if (goroutine_.status != GoStatus::kRunning && stacks_) {
    StackBytes stack{goroutine_.sp, std::string_view(stack_bytes_).substr(seen.stack, seen.stack_size)};
    std::uint64_t pc = in_syscall(seen.position) ? seen.position.syscall_pc : seen.position.pc;
    WalkEnd end = seen.stack_size ? walk_go_stack(pc, goroutine_.sp, goroutine_.stack_high, stack,
                                                  runtime_.memory(), runtime_.frames(), pcs_)
                                  : WalkEnd::kUnsound;
    if (end != WalkEnd::kRoot) return again.push_back(seen);
    goroutine_.stack_state = GoStackState::kWhole;
    goroutine_.pcs = pcs_;
  }
  ++figures_.alive;
  visit_(goroutine_);
}

void Reader::read_batch(const std::vector<std::uint64_t>& addresses) {
  std::vector<Seen> batch(addresses.size()), again;
  for (std::size_t i = 0; i < addresses.size(); ++i) batch[i].address = addresses[i];
  for (int attempt = 0; attempt < kTries && !batch.empty(); ++attempt) {
    if (attempt) figures_.torn += batch.size();
    read_structs(batch, goroutine_bytes_);
    for (Seen& seen : batch) {
      if (!seen.readable && attempt == 0) ++figures_.unreadable;
      if (seen.readable) seen.position = position_of(struct_of(seen, goroutine_bytes_));
    }
    std::erase_if(batch, [](const Seen& s) { return !s.readable || !is_alive(GoStatus(s.position.status)); });
    read_stacks(batch);
    read_structs(batch, verify_bytes_);
    again.clear();
    for (const Seen& seen : batch) take(seen, again);
    batch.swap(again);
  }
  for (const Seen& seen : batch) {
    std::string_view now = struct_of(seen, verify_bytes_);
    Position position = position_of(now);
    if (!is_alive(GoStatus(position.status))) continue;
    bool moved = !(position == seen.position);
    goroutine_ = decode(seen.address, now, position);
    goroutine_.stack_state = moved ? GoStackState::kMoved : GoStackState::kBroken;
    goroutine_.pcs.clear();
    ++(moved ? figures_.moved : figures_.broken);
    ++figures_.alive;
    visit_(goroutine_);
  }
}

Result<LookFigures> Reader::run() {
  std::optional<GoSlice> all = runtime_.goroutines();
  if (!all)
    return Error{fmt::format("read the list of goroutines of PID {}", runtime_.memory().pid()), "",
                 Exit::kNoTarget};
  std::vector<std::uint64_t> addresses;
  std::uint64_t length = all->length;
  for (std::uint64_t from = 0; from < length; from += kAtOnce) {
    addresses.resize(std::min<std::uint64_t>(kAtOnce, length - from));
    // The list never shrinks, but when it grows it moves, and the old one is soon something else.
    if (std::optional<GoSlice> now = runtime_.goroutines()) all = now;
    if (!runtime_.memory().read(all->address + from * 8, addresses.data(), addresses.size() * 8))
      return Error{fmt::format("read the list of goroutines of PID {}", runtime_.memory().pid()), "",
                   Exit::kNoTarget};
    std::erase(addresses, 0);
    figures_.listed += addresses.size();
    read_batch(addresses);
  }
  return figures_;
}

void Reader::read_one(std::uint64_t address) {
  std::string bytes(layout_.g_size, '\0');
  if (!runtime_.memory().read(address, bytes.data(), bytes.size())) return;
  Position position = position_of(bytes);
  if (is_alive(GoStatus(position.status))) visit_(decode(address, bytes, position));
}

}  // namespace

Result<LookFigures> read_goroutines(const GoRuntime& runtime, const GoroutineVisitor& visit) {
  return Reader(runtime, visit, true).run();
}

Result<void> read_goroutine_states(const GoRuntime& runtime, const GoroutineVisitor& visit) {
  Result<LookFigures> figures = Reader(runtime, visit, false).run();
  return figures ? Result<void>() : figures.error();
}

std::optional<Goroutine> read_goroutine_state(const GoRuntime& runtime, std::uint64_t address) {
  std::optional<Goroutine> found;
  GoroutineVisitor keep = [&](const Goroutine& goroutine) { found = goroutine; };
  Reader(runtime, keep, false).read_one(address);
  return found;
}

}  // namespace dwell
