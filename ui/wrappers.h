// SPDX-License-Identifier: Apache-2.0
// Which frame of a stack a reader means by "who asked for it": not a wrapper around the allocator that everybody calls.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/views/report_stack.h"

namespace dwell {

class Wrappers {
 public:
  static constexpr std::size_t kMostLearnt = 500;  // stacks, those that come first: more say nothing new

  // Wrappers are told by their shape: very many functions call them, and few of their lines call on. Learnt from the stacks of a
  // report.
  void learn(const std::vector<ReportFrame>& stack);

  // Index of the first frame that is neither an allocator, nor the standard library, nor a wrapper; where there is none, as
  // asking_frame().
  std::size_t site_frame(const std::vector<ReportFrame>& stack) const;

 private:
  bool is_wrapper(const ReportFrame& frame) const;

  struct Shape {
    std::set<std::string> callers;
    std::set<std::pair<std::string, std::uint64_t>> lines;
  };
  std::map<std::string, Shape> shapes_;  // by function
};

bool is_known_wrapper(std::string_view function);  // xmalloc, g_malloc, palloc ...

}  // namespace dwell
