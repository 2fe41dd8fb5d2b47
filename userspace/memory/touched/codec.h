// SPDX-License-Identifier: Apache-2.0
// How memory by the call site that touched it lies in a recording: docs/recording-format.md.
#pragma once

#include <cstdint>
#include <string>

#include "userspace/base/cursor.h"
#include "userspace/memory/touched/sites.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/model.h"

namespace dwell::memory {

inline constexpr std::uint32_t kChunkTouched = chunk_type("TUCH");

std::string encode_touched(ProcessSlot process, const TouchedMemory& touched);
// The last one of a process counts.
std::string decode_touched(Cursor& in, Recording& out);

}  // namespace dwell::memory
