// SPDX-License-Identifier: Apache-2.0
// Whole-file reads and writes that never leave a half-written file where a good one stood.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "userspace/base/result.h"

namespace dwell {

// Reads at most `limit` bytes; a longer file is an error. Works for /proc files, whose size is unknown.
Result<std::string> read_file(const std::string& path, std::size_t limit = std::size_t{64} << 20);

// Writes to a temporary file beside `path`, syncs it, and renames it over `path`.
Result<void> write_file_atomically(const std::string& path, std::string_view content, unsigned mode = 0644);

}  // namespace dwell
