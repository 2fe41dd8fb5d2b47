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

// Plugins of which each comes to lie where the one before lay, faster than the mappings are read.
AddressSpace plugins() {
  AddressSpace space = two_modules();
  space.published(5);
  space.map({0x9000, 0xa000, 0x1000, 2}, 100);
  space.map({0x9000, 0xa000, 0x1000, 3}, 200);
  space.map({0x8800, 0xa800, 0x2000, 4}, 300);
  return space;
}

TEST(AddressSpace, AnAddressMeansWhatWasMappedThereAtThatMoment) {
  AddressSpace space = plugins();
  EXPECT_EQ(space.locate(0x9010, true, 150), (Location{2, 0x1010, true}));
  EXPECT_EQ(space.locate(0x9010, true, 250), (Location{3, 0x1010, true}));
  EXPECT_EQ(space.locate(0x9010, true, 350), (Location{4, 0x2810, true}));
  EXPECT_EQ(space.locate(0x4010, true, 150), (Location{0, 0x10, true})) << "what stays is the same at any time";
  space.replace({{0x7000, 0x8000, 0x1000, 1}, {0x4000, 0x5000, 0x0, 0}}, 400);
  EXPECT_EQ(space.locate(0x9010, true, 250), (Location{3, 0x1010, true})) << "gone since, and read late";
}

// The mappings are read while one plugin takes the place of the other, whose notice is still on its way.
TEST(AddressSpace, AMappingThatWasReadBeforeItsNoticeCameIsAChangeAllTheSame) {
  AddressSpace space = two_modules();
  space.map({0x9000, 0xa000, 0x1000, 2}, 100);
  space.replace({{0x9000, 0xa000, 0x1000, 3}}, 150);
  space.map({0x9000, 0xa000, 0x1000, 3}, 160);
  EXPECT_EQ(space.locate(0x9010, true, 155).module, 2);
  EXPECT_EQ(space.locate(0x9010, true, 165).module, 3);
}

TEST(AddressSpace, WhatAPluginDisplacedIsKnownForTheTimeBefore) {
  AddressSpace space = two_modules();
  space.map({0x7000, 0x8000, 0x0, 2}, 100);
  EXPECT_EQ(space.locate(0x7010, false, 50), (Location{1, 0x1010, false}));
  EXPECT_EQ(space.locate(0x7010, false, 150), (Location{2, 0x10, false}));
  space.replace({{0x7000, 0x8000, 0x0, 2}, {0x4000, 0x5000, 0x0, 0}}, 120);
  EXPECT_EQ(space.locate(0x7010, false, 50), (Location{1, 0x1010, false}));
}

TEST(AddressSpace, TellsWhenAWalkWentByTheTablesOfOtherCode) {
  AddressSpace space = two_modules();
  space.replace({{0x7000, 0x8000, 0x1000, 1}}, 10);
  space.published(20);
  EXPECT_FALSE(space.was_replaced_before(0x7010, 50));
  space.map({0x7000, 0x8000, 0x0, 2}, 100);
  EXPECT_FALSE(space.was_replaced_before(0x7010, 50)) << "before that";
  EXPECT_TRUE(space.was_replaced_before(0x7010, 150));
  space.map({0xb000, 0xc000, 0x0, 3}, 110);
  EXPECT_FALSE(space.was_replaced_before(0xb010, 150)) << "there was no table, so the walk ended";
  space.replace({{0x7000, 0x8000, 0x0, 2}, {0xb000, 0xc000, 0x0, 3}}, 200);
  space.published(210);
  EXPECT_TRUE(space.was_replaced_before(0x7010, 205)) << "read, and not in use yet";
  EXPECT_FALSE(space.was_replaced_before(0x7010, 215));
}

TEST(AddressSpace, WhatWasMappedUntoldLeavesAddressesUnknownUntilAllIsReadAgain) {
  AddressSpace space = plugins();
  space.lost(350);
  EXPECT_FALSE(space.is_unknown(0x9010, 340));
  EXPECT_TRUE(space.is_unknown(0x9010, 360));
  EXPECT_FALSE(space.is_unknown(0x4010, 360)) << "nothing has come or gone there";
  space.replace({{0x8800, 0xa800, 0x2000, 4}}, 400);
  EXPECT_TRUE(space.is_unknown(0x9010, 390));
  EXPECT_FALSE(space.is_unknown(0x9010, 410));
  EXPECT_EQ(space.same_around(0x9010, 360).from_ns, 350u);
  EXPECT_EQ(space.same_around(0x9010, 410).from_ns, 400u);
}

// Of three plugins in one place the first was there when the mappings were read, and none is when they are read again.
TEST(AddressSpace, TheLastChangeTellsMoreThanWhatWasReadLongBefore) {
  AddressSpace space = two_modules();
  space.replace({{0x9000, 0xa000, 0x0, 2}}, 50);
  space.replace({}, 80);
  space.map({0x9000, 0xa000, 0x0, 3}, 100);
  space.replace({}, 120);
  EXPECT_EQ(space.locate(0x9010, true, 110).module, 3);
}

TEST(AddressSpace, WhatIsForgottenIsUnknown) {
  AddressSpace space = two_modules();
  for (std::uint64_t i = 1; i <= 5000; ++i) space.map({0x9000, 0xa000, 0x0, 2 + static_cast<std::uint32_t>(i % 2)}, 100 * i);
  EXPECT_TRUE(space.is_unknown(0x9010, 150)) << "long ago";
  EXPECT_FALSE(space.is_unknown(0x9010, 499'950));
  EXPECT_EQ(space.locate(0x9010, true, 499'950).module, 3);
}

TEST(AddressSpace, KnowsHowLongAnAddressMeansTheSame) {
  AddressSpace space = plugins();
  EXPECT_EQ(space.same_around(0x9010, 250).from_ns, 200u);
  EXPECT_EQ(space.same_around(0x9010, 250).to_ns, 300u);
  EXPECT_TRUE(space.is_changing(0x9010));
  EXPECT_FALSE(space.is_changing(0x4010));
  std::uint64_t changes = space.changes();
  space.map({0x8800, 0xa800, 0x2000, 4}, 400);
  EXPECT_EQ(space.changes(), changes) << "the same again";
}

}  // namespace
}  // namespace dwell
