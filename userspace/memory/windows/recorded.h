// SPDX-License-Identifier: Apache-2.0
// How windows lie in a recording: docs/recording-format.md has it byte by byte.
#pragma once

#include <string>

#include "userspace/base/cursor.h"
#include "userspace/memory/windows/part.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/model.h"

namespace dwell::memory::windows {

inline constexpr std::uint32_t kChunkWindows = chunk_type("WNDW");
inline constexpr std::uint32_t kChunkRetained = chunk_type("WRET");

std::string encode_windows(double percent, const WindowTick& tick);
std::string decode_windows(Cursor& in, Recording& out);

std::string encode_retained(const RetainedSet& retained);
std::string decode_retained(Cursor& in, Recording& out);

}  // namespace dwell::memory::windows
