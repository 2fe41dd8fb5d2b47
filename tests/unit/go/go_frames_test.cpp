// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/frames.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(GoShows, LeavesOutTheRuntimesInnerFunctions) {
  EXPECT_TRUE(go_shows("main.main"));
  EXPECT_TRUE(go_shows("github.com/someone/thing.(*Server).run"));
  EXPECT_TRUE(go_shows("internal/poll.runtime_pollWait"));
  EXPECT_TRUE(go_shows("runtime/pprof.Do"));
  EXPECT_TRUE(go_shows("runtime.GC"));
  EXPECT_TRUE(go_shows("runtime.(*Func).Entry"));
  EXPECT_FALSE(go_shows("runtime.gopark"));
  EXPECT_FALSE(go_shows("runtime.goexit"));
  EXPECT_FALSE(go_shows("runtime.(*mcache).Refill"));
  EXPECT_FALSE(go_shows("crosscall2"));
  EXPECT_FALSE(go_shows("runtime."));
}

}  // namespace
}  // namespace dwell
