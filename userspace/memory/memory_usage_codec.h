// SPDX-License-Identifier: Apache-2.0
// How a process's memory as a whole lies in a recording: docs/recording-format.md has it byte by byte.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "userspace/base/cursor.h"
#include "userspace/memory/part.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/ids.h"

namespace dwell {

inline constexpr std::uint32_t kChunkMemoryUsage = chunk_type("PMEM");
inline constexpr std::uint32_t kChunkProcessAccount = chunk_type("ACCT");
inline constexpr std::uint32_t kChunkLimits = chunk_type("PLIM");

enum class AccountMoment : std::uint8_t { kFirst, kLast };

std::string encode_samples(ProcessSlot process, std::span<const MemorySample> samples);
std::string decode_samples(Cursor& in, Recording& out);

std::string encode_account(ProcessSlot process, AccountMoment moment, const ProcessAccount& account);
std::string decode_account(Cursor& in, Recording& out);

std::string encode_limits(ProcessSlot process, std::span<const ProcessLimit> limits);
std::string decode_limits(Cursor& in, Recording& out);

}  // namespace dwell
