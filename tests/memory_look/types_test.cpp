// SPDX-License-Identifier: Apache-2.0
// What is in live blocks: classes by name, and kinds of content.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/end_to_end/harness.h"
#include "tests/targets/heap_types.h"

namespace dwell::testing {
namespace {

class Types : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Program program({target_binary(GetParam())});
    ASSERT_TRUE(program.wait_for_output("ready"));
    program.write_line("");
    ASSERT_TRUE(program.wait_for_output("done"));
    Finished look = run({dwell_binary(), "memory", std::to_string(program.pid()), "--types", "--json"});
    ASSERT_EQ(look.exit, 0) << look.errors;
    census_ = nlohmann::json::parse(look.output)["heaps"][0]["census"];
  }
  int blocks_of(const std::string& name) const {
    for (const auto& type : census_["classes"])
      if (type["class"].get<std::string>().find(name) != std::string::npos) return type["blocks"];
    return 0;
  }
  int blocks_with(const char* content) const { return census_["contents"][content]["blocks"]; }

  nlohmann::json census_;
};

TEST_P(Types, NamesObjectsByTheirClass) {
  EXPECT_EQ(blocks_of("shop::Timer"), HT_TIMERS);
  EXPECT_EQ(blocks_of("_Sp_counted_ptr_inplace<shop::Plain"), HT_SHARED);
  EXPECT_EQ(blocks_of("shop::Session[]"), HT_ARRAYS);
  int sessions = 0;
  for (const auto& type : census_["classes"])
    if (type["class"] == "shop::Session") sessions = type["blocks"];
  EXPECT_EQ(sessions, HT_SESSIONS);
}

TEST_P(Types, TellsKindsOfContentApart) {
  EXPECT_EQ(blocks_with("objects"), HT_SESSIONS + HT_TIMERS + HT_SHARED + HT_ARRAYS);
  // The library has some of its own.
  EXPECT_GE(blocks_with("text"), HT_TEXTS);
  EXPECT_LE(blocks_with("text"), HT_TEXTS + 20);
  EXPECT_GE(blocks_with("zero"), HT_ZEROS);
  EXPECT_LE(blocks_with("zero"), HT_ZEROS + 20);
  EXPECT_GE(blocks_with("pointers"), HT_NODES);
  EXPECT_LE(blocks_with("pointers"), HT_NODES + 20);
}

INSTANTIATE_TEST_SUITE_P(Builds, Types, ::testing::Values("heap_types", "heap_types_stripped"));

}  // namespace
}  // namespace dwell::testing
