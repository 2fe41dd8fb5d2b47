// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/layout.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(GoLayout, KnowsEachVersionByItsNumberAndNoOther) {
  for (int minor = kOldestGoMinor; minor <= kNewestGoMinor; ++minor) {
    const GoLayout* layout = go_layout(minor);
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->minor, minor);
    // What is read of a goroutine lies within it.
    for (std::uint16_t field :
         {layout->g_status, layout->g_id, layout->g_wait_since, layout->g_creator, layout->g_start,
          layout->g_waiting, layout->g_labels, layout->g_timer, layout->g_syscall_sp}) {
      EXPECT_GT(field, 0);
      EXPECT_LE(field + 8, layout->g_size);
    }
  }
  EXPECT_FALSE(go_layout(kOldestGoMinor - 1));
  EXPECT_FALSE(go_layout(kNewestGoMinor + 1));
}

TEST(GoLayout, ReadsVersionsOfVendorsToo) {
  EXPECT_EQ(go_minor_of("go1.24.4"), 24);
  EXPECT_EQ(go_minor_of("go1.26.4-vendor"), 26);
  EXPECT_EQ(go_minor_of("go1.21.13 X:nocoverageredesign"), 21);
  EXPECT_EQ(go_minor_of("devel go1.28-3f1ae9d Tue Aug 4"), 28);
  EXPECT_EQ(go_minor_of("go1.18"), 18);
  EXPECT_FALSE(go_minor_of(""));
  EXPECT_FALSE(go_minor_of("go2.1"));
  EXPECT_FALSE(go_minor_of("go1.x"));
  EXPECT_FALSE(go_minor_of("go1.99999999999999"));
}

}  // namespace
}  // namespace dwell
