// SPDX-License-Identifier: Apache-2.0
// Looks at clocks come back as they were written, and bytes that lie are refused.
#include <gtest/gtest.h>

#include "userspace/recording/codec.h"
#include "userspace/clocks/part.h"
#include "userspace/clocks/codec.h"

namespace dwell {
namespace {

ClockLook sample_look() {
  ClockLook look;
  look.time_ns = 12'345'678'901;
  look.duration_ns = 5'000'000'000;
  look.watched_ns = 77;
  look.windows = 3;
  look.probe_hits = 1'000'000;
  look.reads.push_back({StackId{1}, 0, 1, 0, false, 300, 1234.5, 0.25, 1.5});
  ClockWaitFacts wait;
  wait.stack = StackId{2};
  wait.call = 11;
  wait.absolute = true;
  wait.count = 7;
  wait.max_over_thread = "flusher";
  wait.over[20] = 7;
  look.waits.push_back(wait);
  ClockIntervalFacts interval;
  interval.first = StackId{1};
  interval.second = StackId{2};
  interval.count = 4;
  interval.spanned_by_ns = -5'000'000;
  look.intervals.push_back(interval);
  ClockStepFacts step;
  step.kind = ClockStepKind::kLeap;
  step.size_ns = -1'000'000'000;
  step.what = "leap second";
  look.steps.push_back(step);
  look.kernel = {true, true, -17, 12.5, 1000, 37, "", "tsc"};
  look.notes = {"one", ""};
  return look;
}

Recording with_stacks(std::size_t count) {
  Recording recording;
  recording.stacks.resize(count);
  return recording;
}

TEST(ClocksCodec, ComesBackAsItWas) {
  Recording recording = with_stacks(3);
  std::string bytes = encode_clocks(sample_look());
  Cursor in(bytes);
  ASSERT_EQ(decode_clocks(in, recording), "");
  ASSERT_TRUE(clocks_of(recording).look);
  EXPECT_EQ(*clocks_of(recording).look, sample_look());
}

TEST(ClocksCodec, RefusesStacksThatAreNotThere) {
  Recording recording = with_stacks(2);
  std::string bytes = encode_clocks(sample_look());
  Cursor in(bytes);
  EXPECT_EQ(decode_clocks(in, recording), "it names a stack that is not there");
  EXPECT_FALSE(clocks_of(recording).look);
}

TEST(ClocksCodec, RefusesWhatIsCutOffAnywhere) {
  std::string bytes = encode_clocks(sample_look());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Recording recording = with_stacks(3);
    Cursor in(std::string_view(bytes).substr(0, size));
    EXPECT_NE(decode_clocks(in, recording), "") << size << " of " << bytes.size();
  }
}

}  // namespace
}  // namespace dwell
