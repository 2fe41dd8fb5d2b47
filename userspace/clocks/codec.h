// SPDX-License-Identifier: Apache-2.0
// How clocks lie in a recording. docs/recording-format.md has it byte by byte.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "userspace/base/cursor.h"
#include "userspace/base/result.h"
#include "userspace/clocks/part.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/writer.h"

namespace dwell {

inline constexpr std::uint32_t kChunkClocks = chunk_type("CLKS");

// A later one replaces an earlier one.
std::string encode_clocks(const ClockLook& look);
std::string decode_clocks(Cursor& in, Recording& out);

inline Result<void> write_clock_look(RecordingWriter& writer, const ClockLook& look) {
  return writer.append(kChunkClocks, encode_clocks(look));
}

inline constexpr std::array kClockChunks = {ChunkReader{kChunkClocks, decode_clocks}};

}  // namespace dwell
