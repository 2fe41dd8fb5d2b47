// SPDX-License-Identifier: Apache-2.0
// AddressSpace: where the code of one process is and was, so that an address becomes a place in a file by what was mapped
// there at that moment. Pure: it is told the mappings, and reads nothing itself.
//
//   plugins that come to lie in the same place, one after the other:
//
//     0x7f00..  ──── alpha ────┐     ┌──── beta ────┐     ┌── gamma ──
//               0 ms        3 ms   5 ms          9 ms   11 ms            map() at 0, 5 and 11 ms
//     a stack of 4 ms is alpha's, one of 10 ms beta's, whenever it is read
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "userspace/recording/model.h"

namespace dwell {

struct CodeRange {
  std::uint64_t start, end;   // [start, end) in the target
  std::uint64_t file_offset;  // of start; for JIT code: start itself, as there is no file
  std::uint32_t module;       // index in the recording
};

class AddressSpace {
 public:
  static constexpr std::uint64_t kNow = ~std::uint64_t{0};

  // All that was mapped when they were read, at `read_ns`. What is no longer mapped is still known where nothing took its
  // place: stacks that wait to be read may lead there, as those of a program do that called exec a moment ago.
  void replace(std::vector<CodeRange> ranges, std::uint64_t read_ns = 0);
  // From now on walks use the tables of what was read last.
  void published(std::uint64_t now_ns);
  // The kernel has told that this was mapped at that time. In order of time.
  void map(const CodeRange& range, std::uint64_t time_ns);
  // Some of what was mapped from then until now was not told. What lies where code comes and goes is not known, until all is
  // read again.
  void lost(std::uint64_t from_ns);
  void forget_former();

  // The module and the file offset of an address at a moment; no module, and the address itself, where there was none.
  Location locate(std::uint64_t address, bool return_address, std::uint64_t time_ns = kNow) const;
  std::optional<CodeRange> range_at(std::uint64_t address, std::uint64_t time_ns) const;
  // A walk at that moment went by the tables of other code than what lay at the address.
  bool was_replaced_before(std::uint64_t address, std::uint64_t time_ns) const;

  // Whether nobody knows what lay there then.
  bool is_unknown(std::uint64_t address, std::uint64_t time_ns) const;

  // The stretch of time around a moment in which the address meant the same.
  struct Span {
    std::uint64_t from_ns = 0, to_ns = kNow;
  };
  Span same_around(std::uint64_t address, std::uint64_t time_ns) const;
  // Rises with each map(): what was found out before may have ended.
  std::uint64_t changes() const { return changes_seen_; }
  // Code has come there, or gone, while the process was watched.
  bool is_changing(std::uint64_t address) const;

  bool empty() const { return ranges_.empty(); }
  bool covers(std::uint64_t address) const { return find(address) != nullptr; }

 private:
  struct Change {
    std::uint64_t time_ns;
    CodeRange range;
    bool covers(std::uint64_t address) const { return address >= range.start && address < range.end; }
  };
  struct Publication {
    std::uint64_t read_ns, published_ns;
  };
  const CodeRange* find(std::uint64_t address) const;
  const Change* last_change(std::uint64_t address, std::uint64_t time_ns) const;
  void forget_oldest();
  void keep_before(const std::vector<CodeRange>& known, const CodeRange& range);

  std::vector<CodeRange> ranges_;  // sorted by start, not overlapping
  std::vector<CodeRange> former_;  // the same, and none of them overlaps any of ranges_
  std::deque<Change> changes_;     // by time; at 0: what lay there before the first one
  std::deque<Publication> publications_;
  std::deque<Span> lost_;  // by time; the last one may be open
  std::uint64_t read_ns_ = 0, changes_seen_ = 0;
};

}  // namespace dwell
