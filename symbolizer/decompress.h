// SPDX-License-Identifier: Apache-2.0
// Decompression of what ELF files carry compressed. Output is bounded by the caller; memory grows with the
// bytes that were really produced, not with the size that a header claims.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "userspace/base/result.h"

namespace dwell {

Result<std::string> inflate_zlib(std::string_view compressed, std::size_t limit);
Result<std::string> inflate_zstd(std::string_view compressed, std::size_t limit);
Result<std::string> inflate_xz(std::string_view compressed, std::size_t limit);

}  // namespace dwell
