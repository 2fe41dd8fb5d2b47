// SPDX-License-Identifier: Apache-2.0
// ChildAccount: what became of each process that a recorded one started, and the few sentences about it. Each
// of them is counted once: started = followed + ended too early + failed + without room, if they are followed
// at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/recording/model.h"

namespace dwell {

class ChildAccount {
 public:
  explicit ChildAccount(bool asked) { counts_.asked = asked; }

  void forked() { ++counts_.forked; }
  void spawned() { ++counts_.spawned; }
  void followed(std::uint64_t late_ns);  // so long after the fork
  void ended_too_early() { ++counts_.ended_too_early; }
  void failed(const std::string& why);
  void without_room() { ++counts_.without_room; }

  const ChildCounts& counts() const { return counts_; }
  // A few children are worth a line each, more are not.
  bool is_few() const { return counts_.forked <= kFew; }
  // For the notes of the recording, at its end.
  std::vector<std::string> summary() const;

 private:
  static constexpr std::uint64_t kFew = 4;
  ChildCounts counts_;
  std::uint64_t soonest_ns_ = ~std::uint64_t{0}, latest_ns_ = 0;
  std::string first_failure_;
};

}  // namespace dwell
