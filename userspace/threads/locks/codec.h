// SPDX-License-Identifier: Apache-2.0
// How waits for locks lie in a recording: docs/recording-format.md.
#pragma once

#include <string>

#include "userspace/base/cursor.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/model.h"
#include "userspace/threads/locks/waits.h"

namespace dwell {

inline constexpr std::uint32_t kChunkLockWaits = chunk_type("TLCK");

std::string encode_lock_waits(const LockWaits& waits);
std::string decode_lock_waits(Cursor& in, Recording& out);

}  // namespace dwell
