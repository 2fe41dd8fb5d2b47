// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/go_file.h"

#include <gtest/gtest.h>

#include <cstring>

namespace dwell {
namespace {

std::string header(std::uint32_t magic, std::uint64_t functions) {
  std::string bytes(72, '\0');
  std::memcpy(bytes.data(), &magic, 4);
  bytes[6] = 1;
  bytes[7] = 8;
  std::memcpy(bytes.data() + 8, &functions, 8);
  for (std::uint64_t i = 0, offset = 72; i < 5; ++i, offset += 16)
    std::memcpy(bytes.data() + 32 + 8 * i, &offset, 8);
  return bytes;
}

TEST(FindGoTable, FindsTheHeaderAmongOtherBytes) {
  std::string bytes = std::string(104, '\xf1') + header(0xfffffff1, 100) + std::string(200, '\0');
  EXPECT_EQ(find_go_table(bytes), 104u);
  bytes = std::string(16, '\0') + header(0xfffffff0, 1) + std::string(200, '\0');
  EXPECT_EQ(find_go_table(bytes), 16u);
}

TEST(FindGoTable, StepsOverWhatOnlyLooksLikeOne) {
  std::string rest(200, '\0');
  EXPECT_FALSE(find_go_table(header(0xfffffff1, 0) + rest));
  EXPECT_FALSE(find_go_table(header(0xfffffff1, std::uint64_t{1} << 40) + rest));
  EXPECT_FALSE(find_go_table(header(0xfffffff2, 100) + rest));
  EXPECT_FALSE(find_go_table(header(0xfffffff1, 100)));  // its parts lie beyond the end
  std::string descending = header(0xfffffff1, 100) + rest;
  std::memset(descending.data() + 40, 0, 8);
  EXPECT_FALSE(find_go_table(descending));
  EXPECT_FALSE(find_go_table(""));
  EXPECT_EQ(find_go_table(header(0xfffffff1, 0) + header(0xfffffff1, 5) + rest), 72u);
}

}  // namespace
}  // namespace dwell
