// SPDX-License-Identifier: Apache-2.0
// How what holds the blocks lies in a recording: docs/recording-format.md has it byte by byte.
#pragma once

#include <string>

#include "userspace/base/cursor.h"
#include "userspace/memory/holding.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/model.h"

namespace dwell {

inline constexpr std::uint32_t kChunkHolding = chunk_type("HELD");

std::string encode_holding(ProcessSlot process, const Holding& holding);
std::string decode_holding(Cursor& in, Recording& out);

}  // namespace dwell
