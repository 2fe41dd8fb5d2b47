// SPDX-License-Identifier: Apache-2.0
// FileEnds: who has certain pipes and sockets open, in all processes, and in what state the kernel has them.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "bpf/file_ends.h"
#include "userspace/base/result.h"

namespace dwell {

class FileEnds {
 public:
  static Result<FileEnds> open();
  FileEnds(FileEnds&&) noexcept;
  FileEnds& operator=(FileEnds&&) noexcept;
  ~FileEnds();

  // One for each descriptor of each of these inodes; those of other file systems with the same number may be among them.
  Result<std::vector<dwell_file_end>> find(const std::set<std::uint64_t>& inodes);

 private:
  struct Impl;
  explicit FileEnds(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
