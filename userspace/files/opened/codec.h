// SPDX-License-Identifier: Apache-2.0
// How descriptors by the call site that opened them lie in a recording: docs/recording-format.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "userspace/base/cursor.h"
#include "userspace/files/part.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"

namespace dwell::files {

inline constexpr std::uint32_t kChunkDescriptorTick = chunk_type("FTCK");
inline constexpr std::uint32_t kChunkOpenDescriptors = chunk_type("FOPN");

std::string encode_descriptor_tick(const DescriptorTick& tick);
std::string decode_descriptor_tick(Cursor& in, Recording& out);

std::string encode_open_descriptors(const OpenDescriptors& open);
std::string decode_open_descriptors(Cursor& in, Recording& out);

inline constexpr std::array kFilesChunks = {ChunkReader{kChunkDescriptorTick, decode_descriptor_tick},
                                            ChunkReader{kChunkOpenDescriptors, decode_open_descriptors},
                                            ChunkReader{kChunkDescriptorCounts, decode_descriptor_counts}};

}  // namespace dwell::files
