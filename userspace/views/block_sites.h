// SPDX-License-Identifier: Apache-2.0
// BlockSites: who allocated the memory that an address lies in. What follows memory implements it; what meets addresses
// asks it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"

namespace dwell {

struct BlockSite {
  std::uint64_t address = 0, size = 0;
  std::string_view kind = "heap";  // of memory: "heap", "mapping", ...
  std::uint64_t age_ns = 0;  // at the moment that was asked for
  std::vector<ReportFrame> stack;
  std::string incomplete;  // why the stack could not be followed to its root; "" if it could
};

class BlockSites {
 public:
  virtual ~BlockSites() = default;

  // Whether the recording has any blocks.
  virtual bool has_blocks(const Recording& recording) const = 0;
  // For each address the smallest block around it that was there at the end and had been allocated by `until_ns`.
  virtual std::vector<std::optional<BlockSite>> find(const Recording& recording, ProcessSlot process, std::uint64_t until_ns,
                                                     std::span<const std::uint64_t> addresses) const = 0;
};

}  // namespace dwell
