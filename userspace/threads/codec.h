// SPDX-License-Identifier: Apache-2.0
// How threads lie in a recording. docs/recording-format.md has it byte by byte.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "userspace/base/cursor.h"
#include "userspace/base/result.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/writer.h"
#include "userspace/threads/locks/codec.h"
#include "userspace/threads/part.h"

namespace dwell {

inline constexpr std::uint32_t kChunkLook = chunk_type("THRD");
inline constexpr std::uint32_t kChunkThreadTick = chunk_type("TCRE");
inline constexpr std::uint32_t kChunkLiveThreads = chunk_type("TLIV");
inline constexpr std::uint32_t kChunkBlocked = chunk_type("TBLK");

std::string encode_look(const ThreadLook& look);
std::string decode_look(Cursor& in, Recording& out);

std::string encode_thread_tick(const ThreadTick& tick);
std::string decode_thread_tick(Cursor& in, Recording& out);

std::string encode_live_threads(const LiveThreads& live);
std::string decode_live_threads(Cursor& in, Recording& out);

std::string encode_blocked(const BlockedSites& blocked);
std::string decode_blocked(Cursor& in, Recording& out);

inline Result<void> write_thread_look(RecordingWriter& writer, const ThreadLook& look) {
  return writer.append(kChunkLook, encode_look(look));
}
inline Result<void> write_thread_tick(RecordingWriter& writer, const ThreadTick& tick) {
  return writer.append(kChunkThreadTick, encode_thread_tick(tick));
}
inline Result<void> write_live_threads(RecordingWriter& writer, const LiveThreads& live) {
  return writer.append(kChunkLiveThreads, encode_live_threads(live));
}
inline Result<void> write_blocked_sites(RecordingWriter& writer, const BlockedSites& blocked) {
  return writer.append(kChunkBlocked, encode_blocked(blocked));
}

inline constexpr std::array kThreadChunks = {
    ChunkReader{kChunkLook, decode_look}, ChunkReader{kChunkThreadTick, decode_thread_tick},
    ChunkReader{kChunkLiveThreads, decode_live_threads}, ChunkReader{kChunkBlocked, decode_blocked},
    ChunkReader{kChunkLockWaits, decode_lock_waits}};

}  // namespace dwell
