// SPDX-License-Identifier: Apache-2.0
// Decompression of what ELF files carry compressed. Output is bounded by the caller; memory grows with the
// bytes that were really produced, not with the size that a header claims.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "userspace/base/result.h"

namespace dwell {

// The length of the content is known, as it is in ELF sections; any other is an error.
Result<std::string> inflate_zlib(std::string_view compressed, std::size_t length);
Result<std::string> inflate_zstd(std::string_view compressed, std::size_t limit);
Result<std::string> inflate_xz(std::string_view compressed, std::size_t limit);

}  // namespace dwell
