// SPDX-License-Identifier: Apache-2.0
// History: how call sites develop from one model to the next, where a recording tells only how they stand: estimates, and
// heaps of Go programs. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "userspace/top/model.h"

namespace dwell::top {

class History {
 public:
  // Remembers the rows that need it, and gives them their growth and their course. Models come in order of time.
  void follow(Model& model);

 private:
  struct Moment {
    std::uint64_t time_ns;
    std::optional<double> live;
    std::unordered_map<std::uint64_t, double> by_key;
  };
  void thin_out();
  std::optional<double> at_last_mark(const Model& model, std::uint64_t key) const;

  std::vector<Moment> moments_;
};

}  // namespace dwell::top
