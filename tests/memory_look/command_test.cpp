// SPDX-License-Identifier: Apache-2.0
// `dwell memory` as a whole.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/memory_look/heap_harness.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;

TEST(MemoryCommand, AccountsForAllOfRss) {
  HeapBlocks program({target_binary("heap_blocks")}, "rest");
  Finished look = run({dwell_binary(), "memory", std::to_string(program.pid()), "--json"});
  ASSERT_EQ(look.exit, 0) << look.errors;
  auto json = nlohmann::json::parse(look.output);
  std::int64_t sum = 0;
  for (const auto& part : json["account"]["parts"]) sum += part["resident_bytes"].get<std::int64_t>();
  EXPECT_EQ(sum, json["account"]["resident_bytes"]);
  std::int64_t unexplained = json["account"]["parts"]["unexplained"]["resident_bytes"];
  EXPECT_GE(unexplained, 0);
  EXPECT_LT(unexplained, json["account"]["resident_bytes"].get<std::int64_t>() / 50);
  EXPECT_EQ(json["heaps"].size(), 1u);
  EXPECT_EQ(json["heaps"][0]["arenas"].size(), HB_THREADS + 1u);
  EXPECT_GE(json["thread_stacks"], HB_THREADS + 1);
}

TEST(MemoryCommand, DoesNotTouchPagesThatTheProgramHasNotTouched) {
  HeapBlocks program({target_binary("heap_blocks")}, "rest");
  auto resident = [&] {
    Finished look = run({dwell_binary(), "memory", std::to_string(program.pid()), "--json"});
    return nlohmann::json::parse(look.output)["account"]["resident_bytes"].get<std::uint64_t>();
  };
  std::uint64_t first = resident();
  EXPECT_EQ(resident(), first);
}

TEST(MemoryCommand, SaysWhatItCannotRead) {
  Finished none = run({dwell_binary(), "memory", "-p", "999999999"});
  EXPECT_EQ(none.exit, 3);
  Finished both = run({dwell_binary(), "memory"});
  EXPECT_EQ(both.exit, 2);
  EXPECT_THAT(both.errors + both.output, HasSubstr("required"));
}

}  // namespace
}  // namespace dwell::testing
