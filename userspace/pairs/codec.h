// SPDX-License-Identifier: Apache-2.0
// How pairs lie in a recording: docs/recording-format.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/cursor.h"
#include "userspace/pairs/part.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"

namespace dwell::pairs {

inline constexpr std::uint32_t kChunkPairs = chunk_type("PAIR");
inline constexpr std::uint32_t kChunkHoldTick = chunk_type("PTCK");
inline constexpr std::uint32_t kChunkHeld = chunk_type("PHLD");

std::string encode_pairs(const std::vector<PairInfo>& pairs);
std::string decode_pairs(Cursor& in, Recording& out);

std::string encode_hold_tick(const HoldTick& tick);
std::string decode_hold_tick(Cursor& in, Recording& out);

std::string encode_held(const Held& held);
std::string decode_held(Cursor& in, Recording& out);

inline constexpr std::array kPairsChunks = {ChunkReader{kChunkPairs, decode_pairs}, ChunkReader{kChunkHoldTick, decode_hold_tick},
                                            ChunkReader{kChunkHeld, decode_held}};

}  // namespace dwell::pairs
