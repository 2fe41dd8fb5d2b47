// SPDX-License-Identifier: Apache-2.0
// The container of a .dwell file: a file header and a sequence of checksummed, compressed chunks. Knows nothing
// of what the chunks mean. docs/recording-format.md has it byte by byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "userspace/base/byte_source.h"
#include "userspace/base/result.h"

namespace dwell {

inline constexpr std::string_view kRecordingMagic = "\x89" "DWELL\x1a\n";
inline constexpr std::uint32_t kRecordingVersion = 1;
inline constexpr std::size_t kFileHeaderBytes = 16;
inline constexpr std::size_t kChunkHeaderBytes = 32;
inline constexpr std::uint32_t kMaxChunkBytes = std::uint32_t{256} << 20;

constexpr std::uint32_t chunk_type(const char (&name)[5]) {
  std::uint32_t type = 0;
  for (int i = 3; i >= 0; --i) type = type << 8 | static_cast<std::uint8_t>(name[i]);
  return type;
}
std::string chunk_type_name(std::uint32_t type);

std::string file_header();
// A whole chunk: header and payload, compressed where that makes it smaller. `payload` is at most kMaxChunkBytes.
std::string make_chunk(std::uint32_t type, std::uint32_t sequence, std::string_view payload);

struct Chunk {
  std::uint32_t type = 0;
  std::uint32_t raw_size = 0;
  bool compressed = false;
  std::size_t offset = 0;              // of its header in the file
  std::span<const std::byte> stored;   // as it lies in the file; good until the next chunk
};

// Walks the chunks of a file, and checks what it hands out.
class ChunkWalker {
 public:
  // Exit::kBadInput if the bytes are no recording, or one of a later version.
  static Result<ChunkWalker> open(ByteSource source, std::string name);
  static Result<ChunkWalker> open(std::span<const std::byte> bytes, std::string name) {
    return open(ByteSource(bytes), std::move(name));
  }

  // false: no further whole chunk; readable_bytes() tells where the last one ends.
  Result<bool> next(Chunk& chunk);
  // The chunk's content. `scratch` holds it if it was compressed.
  Result<std::span<const std::byte>> content(const Chunk& chunk, std::string& scratch);

  std::size_t readable_bytes() const { return offset_; }
  std::uint64_t file_bytes() const { return source_.size(); }
  Error damaged(std::size_t offset, const std::string& why) const;

 private:
  ChunkWalker(ByteSource source, std::string name) : source_(std::move(source)), name_(std::move(name)) {}

  ByteSource source_;
  std::string name_;
  std::size_t offset_ = kFileHeaderBytes;
  std::uint32_t sequence_ = 0;
  std::uint64_t unpacked_ = 0;  // bytes of content handed out so far
};

}  // namespace dwell
