// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/alloc_samples.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

AllocSample sample(std::uint64_t stack, std::uint64_t address = 0x2000) {
  AllocSample one;
  one.time_ns = 1;
  one.address = address;
  one.span = 0x9000;
  one.element_size = 64;
  one.objects = 100;
  one.stack = stack;
  return one;
}

TEST(AllocSamples, StandForAllOfTheirSpan) {
  AllocSamples samples;
  for (int i = 0; i < 4; ++i) samples.add(sample(7));
  samples.live().resize(1);  // the others are dead
  AllocFigures figures = samples.figures(1).at({7, 0});
  EXPECT_EQ(figures.samples, 4u);
  EXPECT_EQ(figures.allocated.objects, 400);
  EXPECT_EQ(figures.allocated.bytes, 4 * 6400);
  EXPECT_EQ(figures.allocated.bytes_error, 2 * 6400);  // of four equal ones: half
  EXPECT_EQ(figures.live_samples, 1u);
  EXPECT_EQ(figures.in_use.bytes, 6400);
  EXPECT_EQ(figures.in_use.bytes_error, 6400);
}

TEST(AllocSamples, AreScaledByTheTimeThatWasWatched) {
  AllocSamples samples;
  samples.add(sample(7));
  EXPECT_EQ(samples.figures(0.25).at({7, 0}).allocated.bytes, 4 * 6400);
  EXPECT_EQ(samples.figures(0.25).at({7, 0}).in_use.objects, 400);
}

TEST(AllocSamples, WithoutAnAddressAreNeverInUse) {
  AllocSamples samples;
  samples.add(sample(7, 0));
  EXPECT_EQ(samples.figures(1).at({7, 0}).allocated.objects, 100);
  EXPECT_EQ(samples.figures(1).at({7, 0}).in_use.objects, 0);
  EXPECT_EQ(samples.forgotten(), 1u);
}

SpanNow swept(std::uint8_t bits) { return {true, 0x1f40, 64, 20, bits}; }  // 0x2000 is its object 3

TEST(SampleFate, IsToldByTheBitOfASweptSpan) {
  EXPECT_EQ(object_number(sample(7), 0x1f40), 3u);
  EXPECT_EQ(fate_of(sample(7), swept(0b1000), 20), Fate::kLives);
  EXPECT_EQ(fate_of(sample(7), swept(0b0111), 20), Fate::kDead);
  SpanNow taken = swept(0b1000);
  taken.sweep_generation = 23;
  EXPECT_EQ(fate_of(sample(7), taken, 20), Fate::kLives) << "swept, and a processor's now";
}

TEST(SampleFate, IsNotKnownBeforeTheSweep) {
  for (std::uint32_t generation : {18u, 19u, 21u}) {
    SpanNow span = swept(0b1000);
    span.sweep_generation = generation;
    EXPECT_EQ(fate_of(sample(7), span, 20), Fate::kNotSwept) << generation;
  }
}

TEST(SampleFate, IsDeathWhereTheSpanIsGone) {
  SpanNow span = swept(0b1000);
  span.in_use = false;
  EXPECT_EQ(fate_of(sample(7), span, 20), Fate::kDead);
  span = swept(0b1000);
  span.element_size = 96;
  EXPECT_EQ(fate_of(sample(7), span, 20), Fate::kDead);
  span = swept(0b1000);
  span.start = 0x3000;
  EXPECT_EQ(fate_of(sample(7), span, 20), Fate::kDead);
}

}  // namespace
}  // namespace dwell
