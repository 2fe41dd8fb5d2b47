// SPDX-License-Identifier: Apache-2.0
// DescriptorLedger: which descriptors were opened where, and what became of them. Pure: no file, no clock.
//
// What /proc/PID/fd showed when a process was first seen stands at the beginning; every event since its tracing began follows, in
// order. Which of the two is older is then no question: what was opened in between is opened by its event.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "userspace/files/opened/tick.h"
#include "userspace/recording/ids.h"

namespace dwell::files {

struct DescriptorOpened {
  std::uint64_t time_ns;
  std::uint32_t fd;
  DescriptorSite site;
};

struct SeenDescriptor {
  std::uint32_t fd;
  FileKind kind;
};

class DescriptorLedger {
 public:
  explicit DescriptorLedger(std::uint64_t start_ns) : tick_start_ns_(start_ns) {}

  // What was open already, at `time_ns`.
  void add_before(std::uint64_t time_ns, ProcessSlot process, std::span<const SeenDescriptor> seen);
  // The child has what its parent has, as far as it was seen to have it: a moment later it may have closed some.
  void fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child, std::span<const SeenDescriptor> seen);

  // What the number stood for before is closed by it.
  void opened(const DescriptorOpened& event);
  void closed(std::uint64_t time_ns, ProcessSlot process, std::uint32_t first, std::uint32_t last);
  // Of the 64 descriptors from `first` on, those are open whose bit is set; `end`: none is from `first` on.
  void left(std::uint64_t time_ns, ProcessSlot process, std::uint32_t first, std::uint64_t open, bool end);
  void process_ended(std::uint64_t time_ns, ProcessSlot process);

  // From now on it is remembered which descriptors change: the list for check() is read a moment later.
  void expect_check() { changed_.emplace(); }
  // Holds the ledger against what is open, and corrects it. Not those that changed since expect_check().
  DescriptorCheck check(std::uint64_t time_ns, ProcessSlot process, std::span<const SeenDescriptor> seen);

  DescriptorTick take_tick(std::uint64_t now_ns);
  std::vector<OpenDescriptor> open_descriptors() const;  // by process and number
  std::size_t open_count() const { return open_.size(); }

 private:
  using Key = std::pair<ProcessSlot, std::uint32_t>;
  struct Open {
    DescriptorSite site;
    std::uint64_t opened_ns;
  };
  void open(Key key, const Open& what);
  void close(std::uint64_t time_ns, Key key);
  bool is_one_of_before(std::uint64_t time_ns, Key key);
  template <typename Matches>
  std::vector<Key> keys_where(Matches matches) const;

  std::uint64_t tick_start_ns_;
  absl::flat_hash_map<Key, Open> open_;
  std::map<ProcessSlot, std::uint64_t> looked_ns_;  // add_before()
  std::map<DescriptorSite, DescriptorChange> changes_;
  std::optional<absl::flat_hash_set<Key>> changed_;
};

}  // namespace dwell::files
