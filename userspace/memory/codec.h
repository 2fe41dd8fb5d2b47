// SPDX-License-Identifier: Apache-2.0
// How memory lies in a recording: series, ticks, live blocks. docs/recording-format.md has it byte by byte.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "userspace/base/cursor.h"
#include "userspace/base/result.h"
#include "userspace/memory/holding_codec.h"
#include "userspace/memory/part.h"
#include "userspace/memory/memory_usage_codec.h"
#include "userspace/memory/touched/codec.h"
#include "userspace/memory/windows/recorded.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/writer.h"

namespace dwell {

inline constexpr std::uint32_t kChunkSeries = chunk_type("SERS");
inline constexpr std::uint32_t kChunkTick = chunk_type("TICK");
inline constexpr std::uint32_t kChunkLive = chunk_type("LIVE");
inline constexpr std::size_t kLiveBlocksPerChunk = std::size_t{1} << 16;

// `series` are all that the ledger knows; those that are new are written first.
Result<void> write_memory_tick(RecordingWriter& writer, const MemoryTick& tick, std::span<const Series> series);
Result<void> write_new_series(RecordingWriter& writer, std::span<const Series> series);
Result<void> write_live_blocks(RecordingWriter& writer, const LiveSet& live, std::span<const Series> series);

// `first`: the index of the first of these.
std::string encode_series(std::size_t first, std::span<const Series> series);
std::string decode_series(Cursor& in, Recording& out);

std::string encode_tick(const MemoryTick& tick);
std::string decode_tick(Cursor& in, Recording& out);

// The blocks [first, first + blocks.size()) of a set of `total`. A set whose last part is missing is as if it
// had never been written.
std::string encode_live(std::uint64_t time_ns, std::size_t total, std::size_t first, std::span<const LiveBlock> blocks);
std::string decode_live(Cursor& in, Recording& out);

inline constexpr std::array kMemoryChunks = {
    ChunkReader{kChunkSeries, decode_series},
    ChunkReader{kChunkTick, decode_tick},
    ChunkReader{kChunkLive, decode_live},
    ChunkReader{kChunkMemoryUsage, decode_samples},
    ChunkReader{kChunkProcessAccount, decode_account},
    ChunkReader{kChunkLimits, decode_limits},
    ChunkReader{kChunkHolding, decode_holding},
    ChunkReader{memory::kChunkTouched, memory::decode_touched},
    ChunkReader{memory::windows::kChunkWindows, memory::windows::decode_windows},
    ChunkReader{memory::windows::kChunkRetained, memory::windows::decode_retained}};

}  // namespace dwell
