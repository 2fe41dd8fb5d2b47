// SPDX-License-Identifier: Apache-2.0
// Marker: marks a copy of a Go program's heap as the collector would. See reachability.h for what it finds.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/go/contexts/contexts.h"
#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/goroutines/stillness.h"
#include "userspace/go/heap/heap.h"
#include "userspace/go/heap/reachability.h"
#include "userspace/go/heap/stack_roots.h"
#include "userspace/go/timers/timers.h"
#include "userspace/go/waits/conditions.h"

namespace dwell {

class Marker {
 public:
  // `before`: what each goroutine was about before the heap was copied, by address.
  using Before = absl::flat_hash_map<std::uint64_t, Stillness>;
  Marker(const GoRuntime& runtime, GoHeap heap, Before before, bool what_is_unheld)
      : runtime_(runtime),
        before_(std::move(before)),
        what_is_unheld_(what_is_unheld),
        heap_(std::move(heap)),
        roots_(runtime),
        marked_(heap_.objects()),
        watched_(heap_.objects()),
        conditions_(runtime) {}

  Result<Unreached> run();

 private:
  static constexpr std::uint64_t kMostGlobals = std::uint64_t{1} << 30;
  static constexpr std::size_t kMostCases = 65'536;  // of a select

  struct Candidate {
    Goroutine goroutine;
    bool for_lock = false;
    bool reached = false;
    std::uint64_t waits_at = 0;  // a sum over what it waits for
    // Of a lock that may share its block of memory with other things: where it is, and its semaphore. 0: any other.
    std::uint64_t lock = 0, semaphore = 0;
    bool doubtful = false;  // reached by the address of what may be its struct, or a neighbor in front
  };

  Result<void> read_goroutines();
  bool stood_still(const Goroutine& goroutine) const;
  void count_led_to_by_globals();
  void sort_out(const Goroutine& goroutine);
  // The first goroutine counts as stuck only together with others that it waits for.
  void settle_first();
  bool others_lead_to(std::size_t candidate);
  // Whether something stands in the heap that it waits for, so that it can be told when that is reached.
  bool watch(std::size_t candidate, std::uint64_t address);
  bool watch_channels(std::size_t candidate, const Goroutine& goroutine);
  bool watch_semaphore(std::size_t candidate, const Goroutine& goroutine);
  void hide(std::uint64_t address);
  void mark(std::uint64_t address);
  void reach_watchers(std::uint64_t object, std::uint64_t address);
  // A word that may be a pointer, and the one before it.
  void mark(std::uint64_t word, std::uint64_t before) {
    if (contexts_ && note_context(word, before)) return;
    mark(word);
  }
  void look_into(const GoObject& object);
  void mark_words(std::string_view bytes);
  void mark_memory(std::uint64_t address, std::uint64_t size);
  void mark_globals();
  // Hands over each pointer in the global variables: where it is, and the words from there on.
  template <typename Visitor>
  void visit_globals(Visitor&& visit) const;
  template <typename Visitor>
  void visit_masked(const GoRange& range, std::uint64_t mask_field, Visitor&& visit) const;
  void hide_processors();
  void mark_timers();
  void mark_specials(const GoSpan& span);
  // Of an object with this finalizer: whether it is an open file.
  void note_file(const GoObject& object, std::uint64_t address, std::uint64_t finalizer);
  std::vector<std::uint64_t> mark_deferred(std::string_view goroutine);
  void mark_goroutine(const Goroutine& goroutine);
  void drain();

  // The second marking.
  void find_unheld();
  void begin_anew();
  void mark_user(const Goroutine& goroutine);
  void note_waiter(const Goroutine& goroutine, bool marks);
  // Whether it is no more than a parent's note of whom to cancel.
  bool note_context(std::uint64_t word, std::uint64_t before);
  void note_deadlines(const std::vector<GoTimer>& timers);
  void find_contexts(const std::vector<GoTimer>& timers);
  // The third: what each global variable leads to.
  void find_holders();
  void follow(GoHolder& holder);
  void keep_largest_holders();
  // Of the bytes that something leads to, global variables explain so many.
  void find_other_holders(std::uint64_t explained_bytes);
  void follow_frames(const Goroutine& goroutine, absl::flat_hash_map<std::uint64_t, GoHolder>& holders);
  void account(const GoObject& object, GoHolder& holder);
  void account_closure(std::string_view words, const GoObject& object, GoHolder& holder);
  void account_slice(std::string_view words, std::uint64_t place, GoHolder& holder);

  void find_abandoned(const absl::flat_hash_set<std::uint64_t>& lost_channels);

  const GoRuntime& runtime_;
  Before before_;
  bool what_is_unheld_;
  GoHeap heap_;
  StackRoots roots_;
  std::vector<bool> marked_, watched_;
  std::vector<std::uint64_t> hidden_;  // objects that were marked without a look into them
  std::vector<GoObject> open_;         // marked, and not yet looked into
  std::vector<std::size_t>
      reached_;  // candidates that something leads to, and whose stacks are not yet marked
  std::vector<std::size_t> doubtful_;  // the same, of those to whose lock or to its neighbor something leads
  bool in_doubt_ = false;              // what is marked now may be reached from these alone
  std::vector<Candidate> candidates_;
  std::vector<Goroutine> live_;
  std::vector<std::uint64_t> goroutine_addresses_, processors_;
  absl::flat_hash_map<std::uint64_t, std::vector<std::size_t>> watchers_;  // by object
  absl::flat_hash_map<std::uint64_t, std::uint64_t> semaphores_;
  GoConditions conditions_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> condition_of_;  // by goroutine
  std::size_t specials_ = 0;
  absl::flat_hash_map<std::uint64_t, bool> closes_files_;  // finalizers, by address
  absl::flat_hash_set<std::uint64_t> files_;               // numbers of objects
  std::uint64_t files_here_ = 0;  // that the variable leads to which is being followed
  std::uint64_t reached_bytes_ = 0;
  absl::flat_hash_map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>>
      closures_;  // by entry: how many, and bytes
  absl::flat_hash_map<std::uint64_t, bool>
      entries_;                           // whether an address in the code is where a function begins
  std::optional<ContextTypes> contexts_;  // in the second marking
  bool parents_hold_ = true;              // what they are to cancel
  absl::flat_hash_map<std::uint64_t, GoContextKind> seen_contexts_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> deadlines_;  // by context
  absl::flat_hash_map<std::uint64_t, std::uint64_t> waiters_;    // goroutine by channel
  std::vector<std::uint64_t> listed_contexts_;
  Unreached result_;
};

template <typename Visitor>
void Marker::visit_masked(const GoRange& range, std::uint64_t mask_field, Visitor&& visit) const {
  if (range.size() > kMostGlobals) return;
  std::string bytes(range.size(), '\0');
  bytes.resize(runtime_.memory().read_some(range.begin, bytes.data(), bytes.size()));
  struct {
    std::int32_t bits, unused;
    std::uint64_t address;
  } header{};
  std::string mask;
  if (runtime_.memory().read(runtime_.module().moduledata + mask_field, &header, sizeof header) &&
      header.bits > 0)
    mask = runtime_.memory().text(header.address, (static_cast<std::uint64_t>(header.bits) + 7) / 8,
                                  kMostGlobals / 64);
  for (std::size_t i = 0; i * 8 + 8 <= bytes.size(); ++i) {
    bool pointer = i / 8 >= mask.size() || (mask[i / 8] >> (i % 8) & 1);
    if (pointer)
      visit(range.begin + i * 8, std::string_view(bytes).substr(i * 8),
            i ? field_of<std::uint64_t>(bytes, i * 8 - 8) : 0);
  }
}

template <typename Visitor>
void Marker::visit_globals(Visitor&& visit) const {
  visit_masked(runtime_.module().data, runtime_.layout().module_data_mask, visit);
  visit_masked(runtime_.module().bss, runtime_.layout().module_bss_mask, visit);
}

}  // namespace dwell
