// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ui/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "userspace/base/files.h"

namespace dwell {

void expect_golden(const std::string& file, std::string_view actual) {
  std::string path = std::string(GOLDEN_FOLDER) + "/" + file;
  if (std::getenv("DWELL_UPDATE_GOLDEN")) {
    Result<void> written = write_file_atomically(path, actual);
    ASSERT_TRUE(written) << written.error().what;
    return;
  }
  Result<std::string> expected = read_file(path);
  ASSERT_TRUE(expected) << expected.error().what;
  EXPECT_EQ(*expected, actual) << "differs from " << path
                               << "; if that is intended, run scripts/update-golden";
}

}  // namespace dwell
