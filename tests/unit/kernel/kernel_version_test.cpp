// SPDX-License-Identifier: Apache-2.0
#include "userspace/kernel/kernel_version.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(KernelVersion, IsReadFromDistributionsReleases) {
  EXPECT_EQ(parse_kernel_version("6.1.0-50-cloud-amd64"), (KernelVersion{6, 1}));
  EXPECT_EQ(parse_kernel_version("5.14.0-503.el9.x86_64"), (KernelVersion{5, 14}));
  EXPECT_EQ(parse_kernel_version("7.3.4+deb13-cloud-amd64"), (KernelVersion{7, 3}));
  EXPECT_EQ(parse_kernel_version("6.18-rc1"), (KernelVersion{6, 18}));
  for (const char* none : {"", "6", "six.one", "6.x"}) EXPECT_FALSE(parse_kernel_version(none)) << none;
}

TEST(KernelVersion, OlderOnesAreRefusedByName) {
  for (const char* old : {"5.10.0-46-cloud-amd64", "5.15.0-1034-aws", "6.0.19", "4.18.0-553.el8"}) {
    Result<void> answer = require_version(old);
    ASSERT_FALSE(answer) << old;
    EXPECT_EQ(answer.error().exit, Exit::kUnsupported);
    EXPECT_NE(answer.error().what.find(old), std::string::npos) << answer.error().what;
    EXPECT_NE(answer.error().what.find("6.1"), std::string::npos) << answer.error().what;
  }
  for (const char* works : {"6.1.0-50-cloud-amd64", "6.12.95+deb12-cloud-amd64", "7.3.4", "10.0", "unreadable"})
    EXPECT_TRUE(require_version(works)) << works;
}

}  // namespace
}  // namespace dwell
