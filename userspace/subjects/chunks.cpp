// SPDX-License-Identifier: Apache-2.0
#include "userspace/subjects/chunks.h"

#include <vector>

#include "userspace/clocks/codec.h"
#include "userspace/go/codec.h"
#include "userspace/memory/codec.h"
#include "userspace/recording/reader.h"
#include "userspace/threads/codec.h"

namespace dwell {

std::span<const ChunkReader> all_chunks() {
  static const std::vector<ChunkReader> all = [] {
    std::vector<ChunkReader> chunks;
    for (std::span<const ChunkReader> subject :
         {std::span<const ChunkReader>(kMemoryChunks), std::span<const ChunkReader>(kThreadChunks),
          std::span<const ChunkReader>(kClockChunks), std::span<const ChunkReader>(kGoChunks)})
      chunks.insert(chunks.end(), subject.begin(), subject.end());
    return chunks;
  }();
  return all;
}

Result<Recording> read_recording(const std::string& path) { return read_recording(path, all_chunks()); }

Result<Recording> parse_recording(std::span<const std::byte> bytes, const std::string& name) {
  return parse_recording(bytes, name, all_chunks());
}

}  // namespace dwell
