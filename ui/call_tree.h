// SPDX-License-Identifier: Apache-2.0
// CallTree: one sample type of a Profile, merged from the root by function, with inlined calls as frames.
//
//   main 30 ── parse 20 ── malloc 20        value: what passes through the frame
//          └── serve 10 (self 10)           self: what was asked for in the frame itself
//
// A difference of two recordings has values of both signs. A frame's weight is the sum of the sizes of the
// changes below it, so that growth and shrinking side by side stay visible although their sum is near zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "userspace/views/profile.h"

namespace dwell {

// A function as one frame shows it. The views point into the Profile.
struct CallFrame {
  std::string_view function;
  std::string_view file;
  std::int32_t mapping = -1;
  bool inlined = false;
};

struct CallNode {
  std::uint32_t frame = 0;   // index into frames
  std::uint32_t parent = 0;  // index into nodes; the root is its own parent
  std::uint32_t line = 0;    // the line through which most of the weight passes, 0: not known
  std::int64_t value = 0;
  std::int64_t self = 0;
  std::uint64_t weight = 0;
  std::vector<std::uint32_t> children;  // heaviest first
};

struct CallTree {
  std::vector<CallFrame> frames;
  std::vector<CallNode> nodes;  // 0 is the root, above all stacks; parents stand before children
};

CallTree call_tree(const Profile& profile, std::size_t sample_type);

}  // namespace dwell
