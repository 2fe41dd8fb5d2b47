// SPDX-License-Identifier: Apache-2.0
// Reads a .dwell file that may be cut off anywhere, or not be one at all.
//
// Cut off (the writer was killed, the disk was full): read up to the last whole chunk; Recording::ended is
// false. Foreign or damaged: an error with Exit::kBadInput that says what and at which byte.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "userspace/base/result.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/model.h"

namespace dwell {

// `subjects`: the chunks that belong to no table; those that nobody reads are counted as skipped.
Result<Recording> read_recording(const std::string& path, std::span<const ChunkReader> subjects);

// The same from bytes; `name` is for messages.
Result<Recording> parse_recording(std::span<const std::byte> bytes, const std::string& name,
                                  std::span<const ChunkReader> subjects);

}  // namespace dwell
