// SPDX-License-Identifier: Apache-2.0
// How many descriptors processes have open over time, where a recording does not follow who opens them: how it lies in a recording, and
// when it is worth a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ui/json_parts.h"
#include "userspace/base/cursor.h"
#include "userspace/process/open_files.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/model.h"

namespace dwell::files {

struct DescriptorCount {
  std::uint64_t time_ns = 0;
  ProcessSlot process = 0;
  std::uint64_t open = 0;
  std::vector<std::pair<FileKind, std::uint64_t>> kinds = {};  // at the start and the end; else empty
  bool operator==(const DescriptorCount&) const = default;
};

inline constexpr std::uint32_t kChunkDescriptorCounts = chunk_type("FCNT");

std::string encode_descriptor_counts(const std::vector<DescriptorCount>& counts);
std::string decode_descriptor_counts(Cursor& in, Recording& out);

// One for each process in which they become steadily more.
std::vector<std::string> growth_sentences(const Recording& recording);

// Of each process: how many were open at each time, of which kinds at the start and at the end, and the sentence about it.
Json descriptor_counts_json(const Recording& recording);

}  // namespace dwell::files
