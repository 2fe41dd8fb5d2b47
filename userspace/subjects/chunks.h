// SPDX-License-Identifier: Apache-2.0
// Recordings with the chunks of every subject.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "userspace/base/result.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/model.h"

namespace dwell {

std::span<const ChunkReader> all_chunks();

// As in recording/reader.h.
Result<Recording> read_recording(const std::string& path);
Result<Recording> parse_recording(std::span<const std::byte> bytes, const std::string& name);

}  // namespace dwell
