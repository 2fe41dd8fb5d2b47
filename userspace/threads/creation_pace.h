// SPDX-License-Identifier: Apache-2.0
// CreationPace: whether a program creates threads so often that recording who creates each costs it more than it is worth.
// Pure: time is an argument.
#pragma once

#include <cstdint>

namespace dwell {

class CreationPace {
 public:
  void created() { ++created_; }
  // `cpu_ns`: what the target has used so far. Looks at a second or more at a time.
  bool too_dear(std::uint64_t now_ns, std::uint64_t cpu_ns);

 private:
  std::uint64_t created_ = 0;
  std::uint64_t since_ns_ = 0, cpu_since_ns_ = 0, created_since_ = 0;  // when it was last looked at
};

}  // namespace dwell
