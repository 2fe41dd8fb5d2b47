// SPDX-License-Identifier: Apache-2.0
// Two walks of a heap: what came between them; and what that makes of estimates.
#include <gtest/gtest.h>

#include <cmath>

#include "userspace/memory/windows/asked_sizes.h"
#include "userspace/memory/windows/calibration.h"
#include "userspace/memory/windows/census.h"

namespace dwell::memory::windows {
namespace {

// Block `number` of 64 bytes, with contents of its own.
CensusBlock own_block(std::uint64_t number, std::uint64_t written = 1) { return {0x10000 + 64 * number, 64, 0, {number + 1000, written, number * 7}}; }
CensusBlock equal_block(std::uint64_t number) { return {0x10000 + 64 * number, 64, 0, {5, 5, 5}}; }

template <typename Block>
CellCount counted(Block block, std::uint64_t before, std::uint64_t from, std::uint64_t to) {
  Census census;
  for (std::uint64_t i = 0; i < before; ++i) census.add_before(block(i));
  census.end_before();
  for (std::uint64_t i = from; i < to; ++i) census.add_now(block(i));
  return census.counts().at(0);
}

TEST(Census, BlocksInPlacesThatHadNoneCameSince) {
  CellCount count = counted([](std::uint64_t i) { return own_block(i); }, 100, 0, 150);
  EXPECT_EQ(count.least, 50 * 64);
  EXPECT_EQ(count.most, 50 * 64);
  EXPECT_EQ(count.growth, 50 * 64);
}

TEST(Census, ABlockWithAWordThatChangesIsTheSameBlock) {
  Census census;
  for (std::uint64_t i = 0; i < 100; ++i) census.add_before(own_block(i, 1));
  census.end_before();
  for (std::uint64_t i = 0; i < 100; ++i) census.add_now(own_block(i, 2));
  EXPECT_EQ(census.counts()[0].most, 0);
}

TEST(Census, ABlockWithOtherContentsInTheSamePlaceIsAnother) {
  Census census;
  for (std::uint64_t i = 0; i < 100; ++i) census.add_before(own_block(i));
  census.end_before();
  for (std::uint64_t i = 0; i < 100; ++i) {
    CensusBlock block = own_block(i, 3);
    if (i < 10) block.words = {i + 5000, 4, i + 9000};
    census.add_now(block);
  }
  EXPECT_EQ(census.counts()[0].least, 10 * 64);
  EXPECT_EQ(census.counts()[0].most, 10 * 64);
}

TEST(Census, OfEqualBlocksOnlyTheGrowthIsSure) {
  CellCount count = counted([](std::uint64_t i) { return equal_block(i); }, 100, 0, 130);
  EXPECT_EQ(count.least, 30 * 64);
  EXPECT_EQ(count.most, 130 * 64);
}

TEST(Census, BlocksThatPointToOtherTypesAreOfAnotherKind) {
  Census census;
  census.end_before();
  std::uint32_t first = census.add_now({0x1000, 64, 0x555500000010, {}}), second = census.add_now({0x2000, 64, 0x555500000020, {}});
  EXPECT_NE(first, second);
  EXPECT_EQ(census.add_now({0x3000, 64, 0x555500000010, {}}), first);
}

// Of a heap that is too large to keep in mind, pages are drawn; the count has an error then, and says so.
TEST(Census, OfVeryManyBlocksSomePagesStandForAll) {
  Census census(10'000);
  constexpr std::uint64_t kBefore = 40'000, kCame = 10'000;
  for (std::uint64_t i = 0; i < kBefore; ++i) census.add_before(own_block(i));
  census.end_before();
  // As many old ones are gone: the growth alone says nothing.
  for (std::uint64_t i = kCame; i < kBefore + kCame; ++i) census.add_now(own_block(i));
  CellCount count = census.counts()[0];
  EXPECT_LE(count.least, kCame * 64.0);
  EXPECT_GE(count.most, kCame * 64.0);
  EXPECT_GT(count.least, 0);
  EXPECT_LT(count.most, 2.5 * kCame * 64);
  EXPECT_EQ(count.growth, 0);
}

std::vector<double> calibrated(std::vector<Portion>& portions, const CellCount& cell, double shared = 0) {
  return calibrate(portions, std::span(&cell, 1), shared);
}

TEST(Calibration, EstimatesOfAKindAddUpToWhatTheHeapHolds) {
  std::vector<Portion> portions = {{0, 900, 700, 1100, 102, false}, {0, 500, 400, 600, 51, false}};
  EXPECT_EQ(calibrated(portions, {64, 1500, 1500, 1500})[0], 0);
  EXPECT_NEAR(portions[0].bytes + portions[1].bytes, 1500, 1e-6);
  EXPECT_GT(portions[0].bytes - 900, 3 * (portions[1].bytes - 500)) << "who knows less is moved more";
  EXPECT_LT(portions[0].high - portions[0].low, 400);
  EXPECT_TRUE(portions[0].anchored);
}

TEST(Calibration, WhatIsTooMuchForTheirErrorsIsNobodys) {
  std::vector<Portion> portions = {{0, 1000, 900, 1100, 51, false}};
  double unknown = calibrated(portions, {64, 5000, 5000, 5000})[0];
  EXPECT_NEAR(unknown + portions[0].bytes, 5000, 1e-6);
  EXPECT_LT(portions[0].bytes, 1200);
  EXPECT_GE(portions[0].high, 5000) << "it may still be its own";
  EXPECT_FALSE(portions[0].anchored);
}

TEST(Calibration, AnErrorThatAllShareIsNoReasonForTheUnknown) {
  std::vector<Portion> portions = {{0, 1000, 950, 1050, 25, false}};
  EXPECT_EQ(calibrated(portions, {64, 1400, 1400, 1400}, 0.25)[0], 0);
  EXPECT_NEAR(portions[0].bytes, 1400, 1e-6);
}

TEST(Calibration, BlocksThatChangedWithoutGrowthAreNotClaimed) {
  std::vector<Portion> none;
  EXPECT_EQ(calibrated(none, {64, 5000, 5000, 0})[0], 0);
  EXPECT_EQ(calibrated(none, {64, 5000, 5000, 3000})[0], 3000);
}

// Temporaries whose slots others have now: their contents do not tell, so they may have what a leak beside them is not sure to have.
TEST(Calibration, WhoIsSureComesBeforeWhoMayHaveMore) {
  std::vector<Portion> portions = {{0, 900, 700, 1100, 102, false}, {0, 0, 0, 5000, 0, false}};
  calibrated(portions, {64, 1050, 1050, 1050});
  EXPECT_NEAR(portions[0].bytes, 1050, 1e-6);
  EXPECT_EQ(portions[1].bytes, 0);
  EXPECT_GE(portions[0].low, 650);
}

TEST(Calibration, WhatOthersCannotHoldIsItsOwn) {
  // Equal blocks: nothing is known but that the kind grew by at least 1,000.
  std::vector<Portion> portions = {{0, 1000, 0, 1300, 150, false}, {0, 0, 0, 100, 0, false}};
  calibrated(portions, {64, 1000, 9000, 1000});
  EXPECT_NEAR(portions[0].low, 704, 1) << "two standard errors below, where the others leave at least 900";
  EXPECT_EQ(portions[1].low, 0);
}

// Temporaries that are met in each window, none of which lives; and a burst of blocks of their size, which no window met.
TEST(Calibration, ACallSiteThatFewWindowsMetMayHaveTheRest) {
  std::vector<Portion> portions = {{0, 0, 0, 235, 120, false}, {0, 0, 0, 0, 0, false, true}};
  calibrated(portions, {64, 100, 120, 100});
  EXPECT_EQ(portions[0].low, 0);
  EXPECT_EQ(portions[1].high, 120);
  // A leak that explains the count beside it remains known.
  portions = {{0, 1000, 800, 1200, 102, false}, {0, 0, 0, 0, 0, false, true}};
  calibrated(portions, {64, 1050, 1050, 1050});
  EXPECT_GT(portions[0].low, 950);
  EXPECT_LT(portions[1].high, 100);
}

TEST(AskedSizes, TellWhichBlocksMayBeACallSites) {
  const std::vector<std::uint64_t> classes = {24, 40, 56, 104, 136};
  AskedSizes sizes;
  EXPECT_FALSE(sizes.may_be(24, classes));
  sizes.add(96);
  EXPECT_TRUE(sizes.may_be(104, classes));
  EXPECT_TRUE(sizes.may_be(120, classes)) << "a chunk whose rest is too small to be one";
  EXPECT_FALSE(sizes.may_be(136, classes));
  EXPECT_FALSE(sizes.may_be(88, classes));
  for (std::uint64_t size = 30; size < 60; ++size) sizes.add(size);
  EXPECT_TRUE(sizes.may_be(56, classes)) << "of many sizes, what lies between the smallest and the largest";
  EXPECT_EQ(sizes.largest(), 96u);
}

}  // namespace
}  // namespace dwell::memory::windows
