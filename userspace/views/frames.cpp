// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/frames.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>
#include <absl/hash/hash.h>
#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "bpf/events.h"
#include "userspace/recording/codec.h"

namespace dwell {

namespace {

bool has_name(const Recording& recording, std::uint32_t location) {
  return location < recording.symbols.size() && !recording.symbols[location].frames.empty();
}

// The frames of one location as they are compared, without a copy of what the recording holds.
class LocationText {
 public:
  struct Frame {
    std::string_view function, file;
    std::uint32_t line;
    auto operator<=>(const Frame&) const = default;
  };

  LocationText(const Recording& recording, std::uint32_t index) {
    const Location& location = recording.locations[index];
    offset = location.offset;
    if (location.module >= 0) module = recording.modules[static_cast<std::size_t>(location.module)].path;
    if (has_name(recording, index)) {
      for (const SymbolFrame& symbol : recording.symbols[index].frames)
        frames.push_back({symbol.function, symbol.file, symbol.line});
    } else {
      frames.push_back({"", "", 0});
    }
    bool all_named = std::ranges::none_of(frames, [](const Frame& frame) { return frame.function.empty(); });
    if (!all_named) unnamed_ = unnamed(recording, location);
    for (Frame& frame : frames)
      if (frame.function.empty()) frame.function = unnamed_;
  }
  LocationText(const LocationText&) = delete;
  LocationText& operator=(const LocationText&) = delete;

  bool reads_as(const LocationText& other) const { return module == other.module && frames == other.frames; }
  std::size_t hash() const {
    std::size_t hash = absl::HashOf(module, frames.size());
    for (const Frame& frame : frames) hash = absl::HashOf(hash, frame.function, frame.file, frame.line);
    return hash;
  }

  absl::InlinedVector<Frame, 2> frames;
  std::string_view module;
  std::uint64_t offset = 0;

 private:
  std::string unnamed_;
};

// Locations in a hash table, compared by what they read.
struct SameReading {
  const Recording& recording;
  std::size_t operator()(std::uint32_t location) const { return LocationText(recording, location).hash(); }
  bool operator()(std::uint32_t a, std::uint32_t b) const {
    return LocationText(recording, a).reads_as(LocationText(recording, b));
  }
};

}  // namespace

std::string_view base_name(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::string unnamed(const Recording& recording, const Location& location) {
  if (location.module < 0) return "[unknown]";
  const Module& module = recording.modules[static_cast<std::size_t>(location.module)];
  if (module.kind == ModuleKind::kJit || module.kind == ModuleKind::kAnonymous) return "[jit]";
  std::string_view name = base_name(module.path);
  return fmt::format("{}+{:#x}", name.empty() ? "[unknown]" : name, location.offset);
}

FrameTexts::FrameTexts(RecordingRef recording) : recording_(std::move(recording)) {
  std::size_t count = recording_->locations.size();
  SameReading same{*recording_};
  absl::flat_hash_map<std::uint32_t, std::uint32_t, SameReading, SameReading> known(count, same, same);
  readings_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    auto [it, added] = known.try_emplace(i, static_cast<std::uint32_t>(first_location_.size()));
    if (added) first_location_.push_back(i);
    readings_.push_back(it->second);
  }
}

std::vector<ReportFrame> FrameTexts::frames(std::uint32_t index) const {
  const Location& location = recording_->locations[index];
  ReportFrame common;
  common.offset = location.offset;
  if (location.module >= 0) common.module = recording_->modules[static_cast<std::size_t>(location.module)].path;
  if (!has_name(*recording_, index)) {
    common.function = unnamed(*recording_, location);
    return {common};
  }
  std::vector<ReportFrame> result;
  const std::vector<SymbolFrame>& symbols = recording_->symbols[index].frames;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    ReportFrame frame = common;
    frame.named = !symbols[i].function.empty();
    frame.function = frame.named ? symbols[i].function : unnamed(*recording_, location);
    frame.file = symbols[i].file;
    frame.line = symbols[i].line;
    frame.inlined = i + 1 < symbols.size();
    result.push_back(std::move(frame));
  }
  return result;
}

std::vector<ReportFrame> FrameTexts::frames_of(const CallStack& stack) const {
  std::vector<ReportFrame> all;
  for (std::uint32_t location : stack.locations)
    for (ReportFrame& frame : frames(location)) all.push_back(std::move(frame));
  return all;
}

std::span<const std::uint32_t> FrameTexts::parts_of(StackId stack) const {
  return recording_->stacks[static_cast<std::size_t>(stack)].locations;
}

// Frame by frame, as reads_before() has it. Offset and module are the same for all frames of a location.
bool FrameTexts::location_before(std::uint32_t a, std::uint32_t b) const {
  LocationText left(*recording_, a), right(*recording_, b);
  auto before = [&](const LocationText::Frame& x, const LocationText::Frame& y) {
    return std::tie(x, left.module, left.offset) < std::tie(y, right.module, right.offset);
  };
  auto after = [&](const LocationText::Frame& x, const LocationText::Frame& y) {
    return std::tie(x, right.module, right.offset) < std::tie(y, left.module, left.offset);
  };
  for (std::size_t i = 0; i < left.frames.size() && i < right.frames.size(); ++i) {
    if (before(left.frames[i], right.frames[i])) return true;
    if (after(right.frames[i], left.frames[i])) return false;
  }
  return left.frames.size() < right.frames.size();
}

void FrameTexts::rank_locations() const {
  std::vector<std::uint32_t> order(recording_->locations.size());
  std::iota(order.begin(), order.end(), 0);
  auto before = [this](std::uint32_t a, std::uint32_t b) { return location_before(a, b); };
  std::ranges::sort(order, before);
  ranks_.resize(order.size());
  for (std::size_t i = 1, rank = 0; i < order.size(); ++i) {
    if (before(order[i - 1], order[i])) ++rank;
    ranks_[order[i]] = static_cast<std::uint32_t>(rank);
  }
}

bool FrameTexts::stack_before(StackId a, StackId b) const {
  if (ranks_.empty()) rank_locations();
  const CallStack& left = recording_->stacks[static_cast<std::size_t>(a)];
  const CallStack& right = recording_->stacks[static_cast<std::size_t>(b)];
  auto same_rank = [this](std::uint32_t x, std::uint32_t y) { return ranks_[x] == ranks_[y]; };
  auto [x, y] = std::ranges::mismatch(left.locations, right.locations, same_rank);
  if (x == left.locations.end() || y == right.locations.end()) return x == left.locations.end() && y != right.locations.end();
  auto frames = [this](std::uint32_t location) {
    return has_name(*recording_, location) ? recording_->symbols[location].frames.size() : 1;
  };
  if (frames(*x) == frames(*y)) return ranks_[*x] < ranks_[*y];
  // The frames of one may be the first of the other: what comes after them decides.
  return std::ranges::lexicographical_compare(frames_of(left), frames_of(right), reads_before);
}

std::vector<std::uint32_t> FrameTexts::readings_of(const CallStack& stack) const {
  std::vector<std::uint32_t> all;
  for (std::uint32_t location : stack.locations) all.push_back(reading(location));
  return all;
}

std::string incomplete_because(std::uint8_t end) {
  switch (end) {
    case DWELL_STACK_COMPLETE:
    case DWELL_STACK_FOLDED: return "";
    case DWELL_STACK_TOO_DEEP: return fmt::format("deeper than {} frames", DWELL_MAX_FRAMES);
    case DWELL_STACK_NO_MAPPING: return "an address in no known mapping";
    case DWELL_STACK_NO_RULE: return "no unwind rule, and no frame pointer";
    case DWELL_STACK_UNSUPPORTED: return "a rule that needs a DWARF expression";
    case DWELL_STACK_READ_FAILED: return "the stack could not be read";
    case DWELL_STACK_NOT_GROWING: return "a broken chain of frames";
    case DWELL_STACK_ASYNC: return "interrupted by a signal";
    case DWELL_STACK_TABLE_PENDING: return "a module that had just been loaded";
    case kStackShortened: return "to save memory while recording";
    case kStackReplaced: return "other code had just been loaded at this address";
    default: return "for a reason that this version of dwell does not know";
  }
}

bool is_allocator(std::string_view function) {
  static const absl::flat_hash_set<std::string_view> kNames = {
      "malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign", "valloc",
      "pvalloc", "mallocx", "rallocx", "xallocx", "mmap", "mmap64", "mremap", "brk", "sbrk",
      "__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_memalign", "__mmap", "__mremap"};
  if (kNames.contains(function)) return true;
  for (std::string_view prefix : {"operator new", "tc_malloc", "tc_calloc", "tc_realloc", "tc_new", "tc_memalign",
                                  "tc_posix_memalign", "mi_malloc", "mi_calloc", "mi_zalloc", "mi_realloc", "mi_recalloc",
                                  "mi_aligned", "mi_heap_", "mi_new", "je_malloc", "je_calloc", "je_realloc", "je_rallocx",
                                  "je_aligned", "je_memalign", "je_posix_memalign"})
    if (function.substr(0, prefix.size()) == prefix) return true;
  return false;
}

namespace {

// Frames of the C and C++ libraries say how a thread waits and how it began, not where in the program that
// is.
bool is_library(const ReportFrame& frame) {
  std::string_view name = base_name(frame.module);
  for (std::string_view start :
       {"libc.so", "libc-", "libpthread", "ld-linux", "ld-musl", "libstdc++.so", "[vdso]"})
    if (name.starts_with(start)) return true;
  return frame.function.starts_with("std::") || frame.function.starts_with("__gthread") ||
         frame.function == "_start";
}

}  // namespace

std::vector<ReportFrame> own_part(const std::vector<ReportFrame>& stack) {
  auto first = std::ranges::find_if_not(stack, is_library);
  if (first == stack.end()) return stack;
  auto last = std::find_if_not(stack.rbegin(), stack.rend(), is_library);
  return {first, last.base()};
}

}  // namespace dwell
