// SPDX-License-Identifier: Apache-2.0
// Descriptors that are alike: of one kind, in one state, for the same thing. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/files/look.h"

namespace dwell::files {

struct FileGroup {
  std::string kind;   // "TCP", "pipe", "deleted file"
  std::string state;  // "CLOSE_WAIT"; "" if it has none
  std::string what;   // "to 10.0.0.7:5432", "/var/log/a.log"
  std::vector<std::size_t> files;  // indices in the look, by descriptor
  std::uint64_t size = 0;          // bytes of files, each counted once
  std::uint64_t unread = 0, unsent = 0;
  bool listens = false;            // unread and unsent count connections: those that wait, and those that may
  std::optional<std::uint64_t> quiet_ns;  // the longest, of those in CLOSE_WAIT
};

// The largest first.
std::vector<FileGroup> group_files(const FilesLook& look);
// One descriptor a group, by descriptor.
std::vector<FileGroup> each_alone(const FilesLook& look);

std::string kind_of(const SeenFile& seen);
// "TCP 30, file 5, pipe 3": by kind, the most first.
std::string count_by_kind(const FilesLook& look);
// "3-7, 12, 15-20 and 4 more"
std::string descriptor_ranges(const FilesLook& look, const std::vector<std::size_t>& files);

}  // namespace dwell::files
