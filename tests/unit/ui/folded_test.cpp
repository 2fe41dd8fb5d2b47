// SPDX-License-Identifier: Apache-2.0
#include "ui/folded.h"

#include <gtest/gtest.h>

#include "tests/unit/ui/golden.h"
#include "tests/unit/ui/sample_profiles.h"

namespace dwell {
namespace {

TEST(Folded, RootFirstWithInlinedFrames) {
  expect_golden("server.folded", folded(server_profile(), 1));
  expect_golden("server_objects.folded", folded(server_profile(), 0));
}

TEST(Folded, ADifferenceKeepsItsSignsAndDropsWhatCancels) {
  expect_golden("difference.folded", folded(difference_profile(), 0));
}

TEST(Folded, NoNameCanForgeAFrameOrALine) { expect_golden("hostile.folded", folded(hostile_profile(), 0)); }

TEST(Folded, NothingIsNoLine) { EXPECT_EQ(folded(Profile{}, 0), ""); }

}  // namespace
}  // namespace dwell
