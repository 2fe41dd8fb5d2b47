// SPDX-License-Identifier: Apache-2.0
#include "userspace/recording/chunks.h"

#include <fmt/core.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "userspace/base/cursor.h"

namespace dwell {

namespace {

constexpr std::uint32_t kFlagZstd = 1;
constexpr int kCompressionLevel = 4;
// A file may unpack to this much, plus so many times its own size. Real recordings stay below 30 times.
constexpr std::uint64_t kUnpackedAllowance = std::uint64_t{64} << 20;
constexpr std::uint64_t kUnpackedRatio = 64;
constexpr std::uint64_t kUnpackedLimit = std::uint64_t{4} << 30;

template <typename T>
void append_fixed(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string compress(std::string_view payload) {
  std::string packed(ZSTD_compressBound(payload.size()), '\0');
  std::size_t size = ZSTD_compress(packed.data(), packed.size(), payload.data(), payload.size(), kCompressionLevel);
  if (ZSTD_isError(size) || size >= payload.size()) return {};
  packed.resize(size);
  return packed;
}

}  // namespace

std::string chunk_type_name(std::uint32_t type) {
  std::string name;
  for (int i = 0; i < 4; ++i) {
    char c = static_cast<char>(type >> (8 * i));
    name += c >= ' ' && c <= '~' ? c : '?';
  }
  return name;
}

std::string file_header() {
  std::string header(kRecordingMagic);
  append_fixed(header, kRecordingVersion);
  append_fixed(header, std::uint32_t{0});
  return header;
}

std::string make_chunk(std::uint32_t type, std::uint32_t sequence, std::string_view payload) {
  assert(payload.size() <= kMaxChunkBytes);
  std::string packed = compress(payload);
  std::string_view stored = packed.empty() ? payload : std::string_view(packed);
  std::string chunk;
  chunk.reserve(kChunkHeaderBytes + stored.size());
  append_fixed(chunk, type);
  append_fixed(chunk, packed.empty() ? 0 : kFlagZstd);
  append_fixed(chunk, static_cast<std::uint32_t>(payload.size()));
  append_fixed(chunk, static_cast<std::uint32_t>(stored.size()));
  append_fixed(chunk, sequence);
  append_fixed(chunk, std::uint64_t{XXH64(stored.data(), stored.size(), 0)});
  append_fixed(chunk, static_cast<std::uint32_t>(XXH64(chunk.data(), chunk.size(), 0)));
  chunk += stored;
  return chunk;
}

Error ChunkWalker::damaged(std::size_t offset, const std::string& why) const {
  return {fmt::format("read {}: damaged at byte {}: {}", name_, offset, why),
          "copy it again from where it was recorded, or record again", Exit::kBadInput};
}

Result<ChunkWalker> ChunkWalker::open(ByteSource source, std::string name) {
  Result<std::span<const std::byte>> header = source.read(0, kFileHeaderBytes);
  if (!header) return header.error();
  std::span<const std::byte> bytes = *header;
  std::size_t magic_bytes = std::min(bytes.size(), kRecordingMagic.size());
  if (bytes.empty() || std::memcmp(bytes.data(), kRecordingMagic.data(), magic_bytes) != 0) {
    return Error{fmt::format("read {}: not a recording of dwell", name), "make one with `dwell record`",
                 Exit::kBadInput};
  }
  if (bytes.size() < kFileHeaderBytes) {
    return Error{fmt::format("read {}: the recording was cut off before anything was written", name), "",
                 Exit::kBadInput};
  }
  Cursor in(bytes.subspan(kRecordingMagic.size()));
  std::uint32_t version = in.u32();
  if (version != kRecordingVersion) {
    return Error{fmt::format("read {}: it has version {} of the format, and this dwell reads version {}", name,
                             version, kRecordingVersion),
                 "use the dwell that recorded it, or a later one", Exit::kBadInput};
  }
  return ChunkWalker(std::move(source), std::move(name));
}

Result<bool> ChunkWalker::next(Chunk& chunk) {
  Result<std::span<const std::byte>> header = source_.read(offset_, kChunkHeaderBytes);
  if (!header) return header.error();
  if (header->size() < kChunkHeaderBytes) return false;
  Cursor in(*header);
  chunk.type = in.u32();
  std::uint32_t flags = in.u32();
  chunk.raw_size = in.u32();
  std::uint32_t stored_size = in.u32();
  std::uint32_t sequence = in.u32();
  std::uint64_t checksum = in.u64();
  std::uint32_t header_checksum = in.u32();

  // A machine that lost power may leave zeros where the last writes should be.
  auto zero = [](std::byte b) { return b == std::byte{0}; };
  if (std::ranges::all_of(*header, zero)) return false;
  if (static_cast<std::uint32_t>(XXH64(header->data(), kChunkHeaderBytes - 4, 0)) != header_checksum)
    return damaged(offset_, "the header of a chunk has another checksum than it should");
  if (sequence != sequence_)
    return damaged(offset_, fmt::format("chunk {} stands where chunk {} should", sequence, sequence_));
  if (chunk.raw_size > kMaxChunkBytes || stored_size > chunk.raw_size || (flags & ~kFlagZstd) != 0)
    return damaged(offset_, "a chunk's header makes no sense");
  Result<std::span<const std::byte>> stored = source_.read(offset_ + kChunkHeaderBytes, stored_size);
  if (!stored) return stored.error();
  if (stored->size() < stored_size) return false;

  chunk.compressed = flags & kFlagZstd;
  chunk.offset = offset_;
  chunk.stored = *stored;
  if (XXH64(chunk.stored.data(), stored_size, 0) != checksum)
    return damaged(offset_, fmt::format("chunk {} has another checksum than it should", chunk_type_name(chunk.type)));
  ++sequence_;
  offset_ += kChunkHeaderBytes + stored_size;
  return true;
}

Result<std::span<const std::byte>> ChunkWalker::content(const Chunk& chunk, std::string& scratch) {
  unpacked_ += chunk.raw_size;
  if (unpacked_ > kUnpackedLimit || unpacked_ > kUnpackedAllowance + kUnpackedRatio * source_.size())
    return damaged(chunk.offset, "it unpacks to more than a recording of this size can hold");
  if (!chunk.compressed) {
    if (chunk.stored.size() != chunk.raw_size) return damaged(chunk.offset, "a chunk's sizes disagree");
    return chunk.stored;
  }
  scratch.resize(chunk.raw_size);
  std::size_t size = ZSTD_decompress(scratch.data(), scratch.size(), chunk.stored.data(), chunk.stored.size());
  if (ZSTD_isError(size) || size != chunk.raw_size) return damaged(chunk.offset, "a chunk does not unpack");
  return std::as_bytes(std::span(scratch));
}

}  // namespace dwell
