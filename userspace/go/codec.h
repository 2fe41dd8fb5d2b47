// SPDX-License-Identifier: Apache-2.0
// How Go programs lie in a recording. docs/recording-format.md has it byte by byte.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "userspace/base/cursor.h"
#include "userspace/base/result.h"
#include "userspace/go/part.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/writer.h"

namespace dwell {

inline constexpr std::uint32_t kChunkGoLook = chunk_type("GOLK");
inline constexpr std::uint32_t kChunkGoBuckets = chunk_type("GOBK");
inline constexpr std::uint32_t kChunkGoProfile = chunk_type("GOPR");
inline constexpr std::uint32_t kChunkGoHeld = chunk_type("GHLD");
inline constexpr std::uint32_t kChunkGoAllocs = chunk_type("GALC");
inline constexpr std::uint32_t kChunkGoParks = chunk_type("GPRK");
inline constexpr std::uint32_t kChunkGoContexts = chunk_type("GCTX");

std::string encode_go_look(const GoLook& look);
std::string decode_go_look(Cursor& in, Recording& out);

// `first`: the index of the first of these.
std::string encode_go_buckets(std::size_t first, std::span<const GoBucket> buckets);
std::string decode_go_buckets(Cursor& in, Recording& out);

std::string encode_go_profile(const GoProfileLook& look);
std::string decode_go_profile(Cursor& in, Recording& out);

std::string encode_go_held(const GoHeld& held);
std::string decode_go_held(Cursor& in, Recording& out);

// A later one of these three replaces an earlier one.
std::string encode_go_allocs(const GoAllocs& allocs);
std::string decode_go_allocs(Cursor& in, Recording& out);

std::string encode_go_parks(const GoParks& parks);
std::string decode_go_parks(Cursor& in, Recording& out);

std::string encode_go_contexts(const GoContexts& contexts);
std::string decode_go_contexts(Cursor& in, Recording& out);

inline Result<void> write_go_look(RecordingWriter& writer, const GoLook& look) {
  return writer.append(kChunkGoLook, encode_go_look(look));
}
inline Result<void> write_go_held(RecordingWriter& writer, const GoHeld& held) {
  return writer.append(kChunkGoHeld, encode_go_held(held));
}
// `buckets` are all that are known; those that are new are written first.
Result<void> write_go_profile(RecordingWriter& writer, const GoProfileLook& look,
                                       std::span<const GoBucket> buckets);
inline Result<void> write_go_allocs(RecordingWriter& writer, const GoAllocs& allocs) {
  return writer.append(kChunkGoAllocs, encode_go_allocs(allocs));
}
inline Result<void> write_go_parks(RecordingWriter& writer, const GoParks& parks) {
  return writer.append(kChunkGoParks, encode_go_parks(parks));
}
inline Result<void> write_go_contexts(RecordingWriter& writer, const GoContexts& contexts) {
  return writer.append(kChunkGoContexts, encode_go_contexts(contexts));
}

inline constexpr std::array kGoChunks = {
    ChunkReader{kChunkGoLook, decode_go_look},       ChunkReader{kChunkGoBuckets, decode_go_buckets},
    ChunkReader{kChunkGoProfile, decode_go_profile}, ChunkReader{kChunkGoAllocs, decode_go_allocs},
    ChunkReader{kChunkGoHeld, decode_go_held},       ChunkReader{kChunkGoParks, decode_go_parks},         ChunkReader{kChunkGoContexts, decode_go_contexts}};

}  // namespace dwell
