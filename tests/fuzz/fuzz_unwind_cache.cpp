// SPDX-License-Identifier: Apache-2.0
// A file of the table cache; its checksum is made right, so that what lies behind it is reached.
#include <xxhash.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "userspace/unwind/table_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t kChecksum = 12, kPayload = 20;
  if (bytes.size() >= kPayload) {
    std::uint64_t sum = XXH3_64bits(bytes.data() + kPayload, bytes.size() - kPayload);
    std::memcpy(bytes.data() + kChecksum, &sum, sizeof(sum));
  }
  std::optional<UnwindTable> table = decode_table(bytes);
  if (table && decode_table(encode_table(*table)) == std::nullopt) std::abort();
  return 0;
}
