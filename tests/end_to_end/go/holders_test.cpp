// SPDX-License-Identifier: Apache-2.0
// Who holds the heap: each way to hold memory, with the bytes that tests/targets/go/holds.go holds so.
// DWELL_GO_HOLDS may name more builds of the target, of other versions of Go.
#include <gmock/gmock.h>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"

namespace dwell::testing {
namespace {

class Holders : public ::testing::TestWithParam<std::string> {};

// Within what maps, slices and size classes add.
constexpr std::uint64_t kFilled = 2000 * 1024, kCollected = 4000 * 1024, kKept = 3 * 64 * 16384,
                        kTimer = 3 << 20, kFinalizer = 5 << 20;
constexpr double kMore = 1.15;

nlohmann::json holder(const nlohmann::json& holders, const std::string& kind, const std::string& function) {
  for (const nlohmann::json& one : holders)
    if (one["kind"] == kind &&
        (function.empty() || (!one["place"].is_null() && one["place"]["function"] == function)))
      return one;
  return nullptr;
}

void expect_bytes(const nlohmann::json& holder, std::uint64_t bytes) {
  ASSERT_FALSE(holder.is_null());
  EXPECT_GE(holder["bytes"], bytes);
  EXPECT_LE(holder["bytes"], static_cast<double>(bytes) * kMore);
}

TEST_P(Holders, AreNamedWithWhatTheyHold) {
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Finished looked = run({dwell_binary(), "go", std::to_string(target.pid()), "--heap", "--json"});
  ASSERT_EQ(looked.exit, 0) << looked.errors;
  nlohmann::json holders = nlohmann::json::parse(looked.output)["holders"];
  SCOPED_TRACE(holders.dump(1));
  nlohmann::json table = holder(holders, "global", "main.fill"),
                 local = holder(holders, "frame", "main.collect");
  nlohmann::json pages = holder(holders, "frame", "main.keep");
  expect_bytes(table, kFilled);
  EXPECT_EQ(table["map_length"], 2000);
  EXPECT_EQ(table["place"]["line"], 24);
  EXPECT_EQ(table["fills"], true);
  expect_bytes(local, kCollected);
  EXPECT_EQ(local["place"]["line"], 34);  // where it waits
  EXPECT_EQ(local["goroutines"], 1);
  expect_bytes(pages, kKept);
  EXPECT_EQ(pages["goroutines"], 3);
  EXPECT_EQ(pages["place"]["line"], 44);
  expect_bytes(holder(holders, "timers", ""), kTimer);
  expect_bytes(holder(holders, "finalizers", ""), kFinalizer);
}

INSTANTIATE_TEST_SUITE_P(Targets, Holders,
                         ::testing::ValuesIn(builds_of({"holds_stripped"}, "DWELL_GO_HOLDS")), name_of_build);

}  // namespace
}  // namespace dwell::testing
