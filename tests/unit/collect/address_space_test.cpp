// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/address_space.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

AddressSpace two_modules() {
  AddressSpace space;
  space.replace({{0x7000, 0x8000, 0x1000, 1}, {0x4000, 0x5000, 0x0, 0}});
  return space;
}

TEST(AddressSpace, AnAddressBecomesAModuleAndAFileOffset) {
  EXPECT_EQ(two_modules().locate(0x7010, false), (Location{1, 0x1010, false}));
  EXPECT_EQ(two_modules().locate(0x4fff, false), (Location{0, 0xfff, false}));
}

TEST(AddressSpace, WhatNoMappingHoldsKeepsItsAddress) {
  EXPECT_EQ(two_modules().locate(0x6000, true), (Location{-1, 0x6000, true}));
  EXPECT_EQ(two_modules().locate(0, true), (Location{-1, 0, true}));
}

TEST(AddressSpace, ACallAtTheVeryEndOfAMappingBelongsToIt) {
  EXPECT_EQ(two_modules().locate(0x5000, true), (Location{0, 0x1000, true}));
  EXPECT_EQ(two_modules().locate(0x5000, false), (Location{-1, 0x5000, false}));
}

TEST(AddressSpace, WhatWasMappedBeforeIsStillKnownWhereNothingTookItsPlace) {
  AddressSpace space = two_modules();
  space.replace({{0x9000, 0xa000, 0x0, 2}, {0x4800, 0x5800, 0x0, 3}});
  EXPECT_EQ(space.locate(0x7010, false), (Location{1, 0x1010, false}));
  EXPECT_EQ(space.locate(0x4810, false), (Location{3, 0x10, false}));
  EXPECT_EQ(space.locate(0x4010, false), (Location{-1, 0x4010, false}));  // half of that module is gone for sure
  space.replace({{0x9000, 0xa000, 0x0, 2}});
  EXPECT_EQ(space.locate(0x7010, false), (Location{1, 0x1010, false}));
  EXPECT_EQ(space.locate(0x4810, false), (Location{3, 0x10, false}));
  space.forget_former();
  EXPECT_EQ(space.locate(0x7010, false), (Location{-1, 0x7010, false}));
  EXPECT_EQ(space.locate(0x9010, false), (Location{2, 0x10, false}));
}

}  // namespace
}  // namespace dwell
