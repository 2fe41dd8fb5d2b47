// SPDX-License-Identifier: Apache-2.0
// LivenessEstimator: how much each call site retains, from blocks that were met in windows and looked at since. Pure: time,
// what a window saw and what looks say are arguments; it says what to look at.
//
// A block is known to be dead when a look finds it free, or when its address is given out again in a window. What looks
// live may be another block in the same slot: one unchanged word that is unique to a block proves that it is not
// (site_words.h); where a site's blocks have none, survival models say how many of them live, as a range (survival.h).
//
//   window w   open ................. middle .. close      + 2 .. 64 ms, then every age/20, 0.1 s at least, 1 s at most
//              | sampled: what is given out |              looks
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <vector>

#include "userspace/memory/windows/asked_sizes.h"
#include "userspace/memory/windows/census.h"
#include "userspace/memory/windows/look.h"
#include "userspace/memory/windows/site_words.h"
#include "userspace/memory/windows/survival.h"

namespace dwell::memory::windows {

struct WindowEvent {
  std::uint64_t time_ns, address, size;
  std::uint32_t site;
  bool gone = false;  // the block there went into a realloc; else it was given out
  Allocator allocator = Allocator::kGlibc;
  std::uint64_t at_ns = 0;  // since the opening, had probes taken no time (backlog.h)
};

// What to look at. answer() takes it back with its looks filled in.
struct LookBatch {
  std::vector<Question> questions;
  std::vector<Look> looks;
  std::vector<std::uint32_t> who;
};

struct CountedTime {
  std::uint64_t length_ns;  // from the opening, had probes taken no time
  double stands_for_ns;     // the time that it is a sample of
};

struct SiteEstimate {
  std::uint32_t site = 0;
  double bytes = 0, low = 0, high = 0;  // low to high: 95 %
  double error = 0;         // of `bytes`, by sampling alone: one standard error
  double blocks = 0;
  double windows = 0;       // effective number of windows that met what is retained
  std::uint64_t met = 0;    // blocks of the site that windows met
  bool identity = false;    // its blocks can be told apart; else only the range means something
  bool anchored = false;    // the census knows the sum of which this is a part
  std::uint64_t oldest_ns = 0;  // birth of the oldest that lives, as far as is known; 0: none
  double growth_bytes = 0;      // that live, of what windows met which growth began: they count for nothing else
};

// What a walk at the end says: of kinds of blocks, and of which kind watched blocks are.
struct HeapCount {
  std::uint64_t since_ns = 0;  // the first walk
  double shared_error = 0;     // of all that windows estimate, as a share
  std::vector<CellCount> cells;
  AddressRanges constants;  // where files are mapped that nobody writes: vtables lie there
  absl::flat_hash_map<std::uint64_t, std::uint32_t> cell_at;  // by address
};

struct Estimates {
  std::vector<SiteEstimate> sites;
  std::vector<double> unknown;  // by cell of the HeapCount: bytes that came meanwhile, and that no call site is known for
};

class LivenessEstimator {
 public:
  static constexpr std::uint64_t kLeastAge = 3'000'000'000;

  explicit LivenessEstimator(std::uint64_t start_ns) : start_ns_(start_ns) {}

  // ---- a window, in this order ----
  // Older blocks, to be looked at now. `why`: a window that growth began is no sample of any time: it only tells who allocates then.
  enum class Why : std::uint8_t { kChance, kGrowth };
  LookBatch open_window(std::uint64_t open_ns, Why why = Why::kChance);
  void answer_open(const LookBatch& batch, std::uint64_t now_ns);
  void met(const WindowEvent& event);                               // in order of time
  LookBatch middle_of_window();                                     // those met so far
  void answer_middle(const LookBatch& batch, std::uint64_t now_ns);
  LookBatch close_window();                                         // those met, and what open_window() named
  // `whole`: all that was given out until now was met; else what changed may be another block's.
  void answer_close(const LookBatch& batch, std::uint64_t now_ns, const CountedTime& counted, bool whole = true);

  // ---- between windows ----
  std::optional<std::uint64_t> next_look_ns() const;
  LookBatch due(std::uint64_t now_ns, std::size_t at_most = 2000);
  void answer(const LookBatch& batch, std::uint64_t now_ns);
  LookBatch all();  // at the end
  // What a walk of the heap that began at `began_ns` says of those: dead where it met something else than the block.
  void answer_walk(const LookBatch& batch, std::uint64_t began_ns);

  // Blocks that are known from an exact recording; each stands for `weight` of its kind.
  void add_known(const WindowEvent& event, double weight);

  // `time_scale`: the time at the windows level over the sum of what windows stand for.
  // `count`: the heap's walks, or null: what was given out less than kLeastAge ago is then left out. `same_as`: by site, the first of
  // those that are one call site: an exact recording names it in another way than windows do. None: each is one.
  Estimates estimate(std::uint64_t now_ns, double time_scale, double covered, const HeapCount* count = nullptr,
                     std::span<const std::uint32_t> same_as = {}) const;
  // Blocks that are not known to be dead: visit(site, address, size, weight), the weight as in how many of its call site each stands for.
  template <typename Visit>
  void for_each_live(Visit visit) const {
    for (std::uint32_t id : live_) visit(samples_[id].site, samples_[id].address, samples_[id].size, weight_of(samples_[id], 1));
  }
  // The time that the windows in which looks told something were samples of.
  double stood_for_ns() const { return stood_for_ns_; }

 private:
  static constexpr std::uint32_t kKnown = ~std::uint32_t{0};  // Sample::window
  struct Last {  // what a block that is dead contained
    std::uint32_t site = 0;
    Words words{};
  };
  struct Sample {
    std::uint64_t address = 0, size = 0, birth_ns = 0, close_ns = 0, due_ns = 0;
    std::uint64_t at_ns = 0;
    std::uint32_t site = 0, window = 0, looks = 0, place = 0;  // place: in live_
    double weight = 1;                                          // of a known one
    Words middle{}, close{}, settle{}, last{};
    std::optional<Last> before;  // of the block that had its place
    bool has_middle = false, has_close = false, has_settle = false;
    std::uint8_t changed = 0, changed_since_settling = 0, changed_by_settling = 0;  // bits of words
  };
  struct Slot {  // whose first block is known to be dead
    std::uint64_t address, size;
    std::uint32_t site;
  };
  struct Site {
    SiteWords words;
    Survival survival;
    std::uint64_t met = 0, live = 0;
    std::uint32_t windows = 0, last_window = ~std::uint32_t{0};  // that met it
    AskedSizes sizes;
    Allocator allocator = Allocator::kGlibc;
    std::vector<Slot> renewed;
  };
  struct Watch {  // of an older block or slot, while a window is open
    bool renewed = false, at_open = false, returned = false;
    std::uint32_t id = 0;
    Words last{}, open{};
    std::uint64_t address = 0;
    std::uint32_t site = 0;
    std::uint64_t age_ns = 0, size = 0;
  };
  struct Window {
    double weight = 0;  // 0: it counts for no time
    Why why = Why::kChance;
  };
  struct Ended {  // of the window's own blocks
    std::uint32_t site;
    std::uint64_t birth_ns, at_ns, end_ns;
  };

  Site& site(std::uint32_t index);
  std::uint32_t add(const WindowEvent& event, std::uint32_t window);
  void dead(std::uint32_t id, std::uint64_t now_ns);
  void remove(std::uint32_t id);
  void remember_slot(const Sample& sample);
  void look_at(Sample& sample, const Look& look, std::uint64_t now_ns);
  void queue(std::uint32_t id, std::uint64_t now_ns);
  void ask(LookBatch& batch, std::uint32_t who, std::uint64_t address, std::uint64_t size, std::uint32_t site) const;
  void watch_some(std::uint64_t open_ns);
  void close_sample(std::uint32_t id, const Look& look, std::uint64_t now_ns, const CountedTime& counted);
  void close_watches(const LookBatch& batch, std::uint64_t length_ns, bool whole);
  double weight_of(const Sample& sample, double time_scale) const;

  std::uint64_t start_ns_;
  std::vector<Sample> samples_;
  std::vector<std::uint32_t> free_, live_;  // ids
  absl::flat_hash_map<std::uint64_t, std::uint32_t> at_;  // address to id
  absl::flat_hash_map<std::uint64_t, Last> dead_at_;      // by address
  std::vector<Site> sites_;
  std::vector<Window> windows_;
  double stood_for_ns_ = 0;
  using Due = std::pair<std::uint64_t, std::uint32_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;

  // The open window.
  std::uint64_t open_ns_ = 0;
  Why why_ = Why::kChance;
  std::vector<std::uint32_t> own_;
  std::vector<Ended> ended_;
  std::vector<Watch> watches_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> watch_at_;  // address to index in watches_
  std::size_t next_watched_ = 0;
  std::uint32_t samples_at_close_ = 0;  // in a batch of close_window(), watches follow them

  friend class SiteEstimator;
  friend class WholeEstimate;
};

}  // namespace dwell::memory::windows
