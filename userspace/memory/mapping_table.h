// SPDX-License-Identifier: Apache-2.0
// MappingTable: the mappings of one process as ranges that newer mappings and munmap cut.
//
// A mapping that is cut in the middle is two pieces and still one block: it is freed when its last piece goes.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "userspace/memory/event.h"

namespace dwell {

class MappingTable {
 public:
  struct Piece {
    std::uint64_t end;
    std::uint64_t birth_ns;
    std::uint32_t series;
    std::uint32_t mapping;  // pieces of one mapping share it
    Tid tid;
  };
  struct Removed {
    std::uint32_t series;
    std::uint64_t birth_ns, bytes;
    bool last;  // nothing of that mapping is left
  };

  // The range must be free: remove() it first.
  void insert(std::uint64_t start, std::uint64_t end, std::uint32_t series, std::uint64_t birth_ns, Tid tid);
  std::vector<Removed> remove(std::uint64_t start, std::uint64_t end);
  std::optional<std::uint32_t> series_at(std::uint64_t address) const;

  // Ascending by address. `part`: an earlier piece of the same mapping was visited already.
  void for_each(const std::function<void(std::uint64_t start, const Piece& piece, bool part)>& visit) const;
  // Whole mappings only; what was removed is returned.
  std::vector<Removed> remove_born_before(std::uint64_t time_ns);
  void replace_series(const std::function<std::uint32_t(std::uint32_t)>& replacement);
  void clear();
  std::size_t size() const { return pieces_.size(); }

 private:
  bool drop_piece(std::uint32_t mapping);

  absl::btree_map<std::uint64_t, Piece> pieces_;
  std::vector<std::uint32_t> piece_counts_;  // by mapping
  std::vector<std::uint32_t> unused_;        // mappings whose number can be given again
};

}  // namespace dwell
