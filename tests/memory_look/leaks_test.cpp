// SPDX-License-Identifier: Apache-2.0
// Blocks that nothing points to: all that were lost, and none that is held.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/end_to_end/harness.h"
#include "tests/targets/lost_blocks.h"

namespace dwell::testing {
namespace {

struct Leaks {
  int exit = -1;
  nlohmann::json json;
};

Leaks leaks_of(const std::string& scenario, const std::vector<std::string>& environment = {}) {
  Program program({target_binary("lost_blocks"), scenario}, environment);
  EXPECT_TRUE(program.wait_for_output("ready")) << program.errors();
  Finished look = run({dwell_binary(), "memory", std::to_string(program.pid()), "--leaks", "--json"});
  EXPECT_TRUE(look.exit == 0 || look.exit == 8) << look.errors;
  return {look.exit, nlohmann::json::parse(look.output)["leaks"]};
}

std::uint64_t blocks_of_size(const Leaks& leaks, std::uint64_t from, std::uint64_t to) {
  std::uint64_t blocks = 0;
  for (const auto& group : leaks.json["groups"])
    if (group["usable_bytes"] >= from && group["usable_bytes"] < to)
      blocks += group["blocks"].get<std::uint64_t>() + group["held_blocks"].get<std::uint64_t>();
  return blocks;
}

class LeakedBlocks : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(LeakedBlocks, AreAllThatWereLostAndNoOther) {
  DWELL_NEEDS_BPF();
  Leaks leaks = leaks_of("lost", GetParam());
  EXPECT_EQ(leaks.exit, 8);
  EXPECT_EQ(leaks.json["leaked_blocks"], LB_LOST) << leaks.json.dump(1);
  EXPECT_GE(leaks.json["looks"], 2);
  EXPECT_EQ(blocks_of_size(leaks, LB_PLAIN_SIZE, LB_PLAIN_SIZE + 20), LB_PLAIN);
  EXPECT_EQ(blocks_of_size(leaks, LB_RING_SIZE, LB_RING_SIZE + 16), 2 * LB_RINGS);
  EXPECT_EQ(blocks_of_size(leaks, LB_CHAIN_SIZE, LB_CHAIN_SIZE + 16), LB_CHAINS * (1 + LB_CHAIN_LENGTH));
}

// In globals, thread-local storage, keys beyond those of the descriptor, a stack, a register, the kernel, or by a pointer into
// the middle.
TEST_P(LeakedBlocks, AreNoneWhereAllAreHeld) {
  DWELL_NEEDS_BPF();
  Leaks leaks = leaks_of("held", GetParam());
  EXPECT_EQ(leaks.exit, 0);
  EXPECT_EQ(leaks.json["leaked_blocks"], 0) << leaks.json.dump(1);
  EXPECT_TRUE(leaks.json["settled"]);
}

INSTANTIATE_TEST_SUITE_P(Allocators, LeakedBlocks,
                         ::testing::Values(std::vector<std::string>{}
#ifdef DWELL_JEMALLOC
                                           ,
                                           std::vector<std::string>{"LD_PRELOAD=" DWELL_JEMALLOC}
#endif
                                           ));

TEST(MovingPointers, AreNotTakenForLeaks) {
  DWELL_NEEDS_BPF();
  Leaks leaks = leaks_of("moving");
  EXPECT_EQ(leaks.exit, 0);
  EXPECT_EQ(leaks.json["leaked_blocks"], 0);
  EXPECT_TRUE(leaks.json["groups"].empty());
}

// Heads lead to elements that were not there yet when the heap was walked, in each look.
TEST(MovingPointers, ToTheHeadsOfListsHoldTheRestOfThem) {
  DWELL_NEEDS_BPF();
  for (const char* way : {"grow", "churn"}) {
    Program program({target_binary("list_heads"), way});
    ASSERT_TRUE(program.wait_for_output("ready"));
    for (int look = 0; look < 3; ++look) {
      Finished found = run({dwell_binary(), "memory", std::to_string(program.pid()), "--leaks", "--json"});
      auto json = nlohmann::json::parse(found.output)["leaks"];
      EXPECT_TRUE(json["settled"].get<bool>()) << way << ": " << json["unsettled_because"];
      EXPECT_EQ(json["leaked_blocks"], 0) << way << ", in " << json["looks"] << " looks";
    }
  }
}

// Both lists hang on a pointer that each look but the last sees to lead to what is no block yet. A word of
// the stack may be seen to hold them instead: of an element that was a head a moment before.
TEST(MovingPointers, ToTheHeadsOfListsHaveHolders) {
  DWELL_NEEDS_BPF();
  constexpr int kElements = 60000;
  Program program({target_binary("list_heads"), "grow"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  Finished found = run({dwell_binary(), "memory", std::to_string(program.pid()), "--holders", "--json"});
  auto json = nlohmann::json::parse(found.output)["holders"];
  EXPECT_TRUE(json["settled"].get<bool>()) << json["unsettled_because"];
  EXPECT_EQ(json["leaked"]["retained_blocks"], 0);
  int held = json["by_several"]["retained_blocks"].get<int>();
  for (const auto& holder : json["holders"]) held += holder["retained_blocks"].get<int>();
  EXPECT_GE(held, 2 * kElements) << json["moved"]["retained_blocks"];
}

}  // namespace
}  // namespace dwell::testing
