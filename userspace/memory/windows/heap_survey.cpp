// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/heap_survey.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/memory/heap/careful_reader.h"
#include "userspace/memory/heap/heaps.h"
#include "userspace/memory/heap/window.h"
#include "userspace/memory/process_sampler.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kReadPerSecond = std::uint64_t{1} << 30, kReadAhead = 1 << 20;
constexpr std::uint64_t kShareOfWalkTime = 100, kShortestWalkPause = 2 * kSecond;

// The blocks that are asked about, in address order.
class Asked {
 public:
  explicit Asked(LookBatch& batch) : batch_(batch), order_(batch.questions.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::sort(order_, {}, [&](std::size_t i) { return batch.questions[i].address; });
    batch_.looks.assign(batch.questions.size(), {});
  }
  // A block of a walk: that is what there is now, also where it was asked about a place in the middle of it. True: asked about.
  bool meet(const heap::Block& block) {
    bool whole = false;
    for (auto at = first_in(block.address - block.header); at != order_.end() && address(*at) < block.address + block.usable; ++at) {
      if (block.state == heap::BlockState::kUnknown) continue;
      bool lives = address(*at) == block.address && heap::is_live(block.state);
      batch_.looks[*at].state = lives ? BlockState::kLive : BlockState::kFree;
      whole |= lives;
    }
    return whole;
  }

 private:
  std::uint64_t address(std::size_t i) const { return batch_.questions[i].address; }
  std::vector<std::size_t>::const_iterator first_in(std::uint64_t from) const {
    return std::ranges::lower_bound(order_, from, {}, [this](std::size_t i) { return address(i); });
  }
  LookBatch& batch_;
  std::vector<std::size_t> order_;
};

AddressRanges constants_in(const std::vector<Mapping>& mappings) {
  AddressRanges ranges;
  for (const Mapping& mapping : mappings)
    if (mapping.is_file() && !mapping.writable && !mapping.executable) ranges.emplace_back(mapping.start, mapping.end);
  return ranges;
}

// Goes over all heaps of a process.
class Walker {
 public:
  explicit Walker(pid_t pid) : pid_(pid), reader_(pid, kReadPerSecond), target_{reader_.memory(), reader_.pages(), mappings_}, window_(reader_.memory()) {}

  bool walk(const std::function<void(const heap::Block&)>& each) {
    std::optional<MemorySample> sample = read_memory_sample(pid_);
    if (!sample || !why_not_walked(*sample).empty()) return false;
    Result<heap::FoundHeaps> found = heap::find_heaps_of(pid_, target_, mappings_);
    if (!found || found->heaps.empty() || !found->unread.empty()) return false;
    constants_ = constants_in(mappings_);
    for (const auto& one : found->heaps)
      one->walk([&](std::span<const heap::Block> blocks) {
        for (const heap::Block& block : blocks) each(block);
      });
    return true;
  }
  // The first words of a live block; quickest in address order.
  CensusBlock describe(const heap::Block& block) {
    CensusBlock result{block.address, block.usable, 0, {}};
    for (std::size_t i = 0; i < std::min<std::uint64_t>(kWords, block.usable / 8); ++i)
      result.words[i] = window_.at<std::uint64_t>(block.address + 8 * i, block.address + kReadAhead).value_or(0);
    if (lies_in(constants_, result.words[0])) result.type = result.words[0];
    return result;
  }
  const AddressRanges& constants() const { return constants_; }

 private:
  pid_t pid_;
  std::vector<Mapping> mappings_;
  heap::CarefulReader reader_;
  heap::Target target_;
  heap::Window window_;
  AddressRanges constants_;
};

template <typename T>
bool is_ready(const std::future<T>& future) {
  return future.valid() && future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

}  // namespace

void HeapSurvey::begin(std::uint64_t now_ns) {
  if (began_ns_) return;
  began_ns_ = now_ns;
  walking_first_ = std::async(std::launch::async, [this] {
    Walk walk;
    walk.began_ns = monotonic_ns();
    Walker walker(pid_);
    walk.worked = walker.walk([&](const heap::Block& block) {
      if (heap::is_live(block.state)) census_.add_before(walker.describe(block));
    });
    walk.took_ns = monotonic_ns() - walk.began_ns;
    return walk;
  });
}

bool HeapSurvey::first_is_done(bool wait) {
  if (walking_first_.valid() && (wait || is_ready(walking_first_))) first_ = walking_first_.get();
  return first_.has_value();
}

bool HeapSurvey::works(bool wait) { return first_is_done(wait) && first_->worked; }

bool HeapSurvey::is_due(std::uint64_t now_ns) {
  if (walking_.valid() || !works()) return false;
  const Walk& before = last_ ? *last_ : *first_;
  return now_ns >= before.began_ns + std::max(kShortestWalkPause, kShareOfWalkTime * before.took_ns);
}

void HeapSurvey::look_for(LookBatch blocks, std::uint64_t now_ns) {
  walking_ = std::async(std::launch::async, [pid = pid_, now_ns, blocks = std::move(blocks)]() mutable {
    Walk walk;
    walk.began_ns = now_ns;
    Asked asked(blocks);
    walk.worked = Walker(pid).walk([&](const heap::Block& block) { asked.meet(block); });
    walk.took_ns = monotonic_ns() - now_ns;
    walk.blocks = std::move(blocks);
    return walk;
  });
}

std::optional<HeapSurvey::Found> HeapSurvey::found() {
  if (!is_ready(walking_)) return std::nullopt;
  last_ = walking_.get();
  if (!last_->worked) return std::nullopt;
  return Found{std::move(last_->blocks), last_->began_ns};
}

std::optional<HeapCount> HeapSurvey::finish(LookBatch& blocks) {
  if (walking_.valid()) walking_.wait();
  if (!works(true)) return std::nullopt;
  census_.end_before();
  HeapCount count;
  count.since_ns = began_ns_;
  Asked asked(blocks);
  Walker walker(pid_);
  bool worked = walker.walk([&](const heap::Block& block) {
    bool watched = asked.meet(block);
    if (!heap::is_live(block.state)) return;
    std::uint32_t cell = census_.add_now(walker.describe(block));
    if (watched) count.cell_at[block.address] = cell;
  });
  if (!worked) return std::nullopt;
  count.cells = census_.counts();
  count.constants = walker.constants();
  return count;
}

}  // namespace dwell::memory::windows
