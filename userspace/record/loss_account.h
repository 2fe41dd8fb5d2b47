// SPDX-License-Identifier: Apache-2.0
// LossAccount: what a recording lost, by kind, and when: from counters that only grow, or one by one.
//
//   losses.total(LossKind::kUndecodable, decoder.undecodable());
//   writer.write_losses(losses.take(now_ns));
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "userspace/recording/model.h"

namespace dwell {

class LossAccount {
 public:
  explicit LossAccount(std::uint64_t start_ns) : taken_ns_(start_ns) {}

  // One that was met at a known time.
  void add(LossKind kind, std::uint64_t time_ns);
  // What a counter says now; when the rest of it was lost is not known better than since the last take().
  void total(LossKind kind, std::uint64_t count);
  // The same, where the first and the last since the last take() are known.
  void total(LossKind kind, std::uint64_t count, std::uint64_t first_ns, std::uint64_t last_ns);

  // What is new, by kind.
  std::vector<Loss> take(std::uint64_t now_ns);

 private:
  struct Kind {
    std::uint64_t added = 0, total = 0, told = 0;
    std::uint64_t first_ns = 0, last_ns = 0;  // 0: not known
  };
  void note_time(Kind& kind, std::uint64_t first_ns, std::uint64_t last_ns);

  std::array<Kind, 256> kinds_{};
  std::uint64_t taken_ns_;
};

}  // namespace dwell
