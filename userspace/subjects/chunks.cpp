// SPDX-License-Identifier: Apache-2.0
#include "userspace/subjects/chunks.h"

#include <vector>

#include "userspace/recording/reader.h"
#include "userspace/subjects/subjects.h"

namespace dwell {

std::span<const ChunkReader> all_chunks() {
  static const std::vector<ChunkReader> all = [] {
    std::vector<ChunkReader> chunks;
    for (const Subject& subject : subjects()) chunks.insert(chunks.end(), subject.chunks.begin(), subject.chunks.end());
    return chunks;
  }();
  return all;
}

Result<Recording> read_recording(const std::string& path) { return read_recording(path, all_chunks()); }

Result<Recording> parse_recording(std::span<const std::byte> bytes, const std::string& name) {
  return parse_recording(bytes, name, all_chunks());
}

}  // namespace dwell
