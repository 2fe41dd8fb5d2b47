// SPDX-License-Identifier: Apache-2.0
// Compressed contents, in all three forms.
#include <cstdlib>
#include <string_view>

#include "symbolizer/decompress.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLimit = 1 << 16;
  std::string_view compressed(reinterpret_cast<const char*>(data), size);
  for (auto* inflate : {&dwell::inflate_zlib, &dwell::inflate_zstd, &dwell::inflate_xz}) {
    dwell::Result<std::string> content = (*inflate)(compressed, kLimit);
    if (content && content->size() > kLimit) std::abort();
  }
  return 0;
}
