// SPDX-License-Identifier: Apache-2.0
// What a program's machine code says of its calls, and what its memory says of its maps and slices.
#include "userspace/go/code/call_sites.h"

#include <gtest/gtest.h>

#include <cstring>

#include "userspace/go/code/data_users.h"
#include "userspace/go/code/makers.h"
#include "userspace/go/code/places.h"
#include "userspace/go/heap/holders.h"

namespace dwell {
namespace {

constexpr std::uint64_t kAt = 0x401000, kCallee = 0x402000;

std::string call_behind(std::string before) {
  std::uint32_t displacement = static_cast<std::uint32_t>(kCallee - (kAt + before.size() + 5));
  before += '\xe8';
  before.append(reinterpret_cast<const char*>(&displacement), 4);
  return before;
}

std::vector<DirectCall> calls_of(const std::string& code) { return direct_calls(code, kAt, {{kCallee, "time.NewTicker"}}); }

TEST(DirectCalls, AreFoundWithTheConstantThatTheyAreGiven) {
  using namespace std::string_literals;
  std::vector<DirectCall> calls = calls_of(call_behind("\x90\xb8\x00\x94\x35\x77"s));  // mov $2e9,%eax
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].argument, 2'000'000'000u);
  EXPECT_EQ(calls[0].returns, kAt + 11);
  EXPECT_EQ(calls_of(call_behind("\x48\xb8\x00\x2e\x87\xd2\x02\x00\x00\x00"s))[0].argument, 0x2d2872e00u);  // movabs
  EXPECT_EQ(calls_of(call_behind("\x48\xc7\xc0\xff\xff\xff\xff"s))[0].argument, ~std::uint64_t{0});
  EXPECT_EQ(calls_of(call_behind("\xb8\x40\x42\x0f\x00\x90"s))[0].argument, 1'000'000u) << "in an inlined function";
  EXPECT_EQ(calls_of(call_behind("\x48\x89\xd8"s))[0].argument, std::nullopt) << "from a register";
}

TEST(DirectCalls, OthersAreNot) {
  std::string elsewhere = call_behind("");
  elsewhere[1] ^= 1;
  EXPECT_TRUE(calls_of(elsewhere).empty());
  EXPECT_TRUE(calls_of(call_behind("").substr(0, 4)).empty());
}

TEST(DirectCalls, ThroughValuesAreNoticed) {
  EXPECT_TRUE(calls_values(std::string("\x90\xff\xd1", 3)));                      // call *%rcx
  EXPECT_TRUE(calls_values(std::string("\xff\x50\x18", 3)));                      // call *0x18(%rax)
  EXPECT_FALSE(calls_values(call_behind("\x48\x89\xd8")));
}

TEST(GoNames, ClosuresBelongToTheFunctionAroundThem) {
  EXPECT_EQ(without_closures("main.serve"), "main.serve");
  EXPECT_EQ(without_closures("main.serve.func1"), "main.serve");
  EXPECT_EQ(without_closures("main.(*server).run.func2.1"), "main.(*server).run");
  EXPECT_EQ(without_closures("main.stop.deferwrap1"), "main.stop");
  EXPECT_EQ(without_closures("main.serve.functional"), "main.serve.functional");
}

TEST(GoNames, AModuleNeedNotBeNamedAfterAHost) {
  for (const char* own : {"main.main", "shop/cart.Add", "example.com/x/y.F", "timely.Now", "k8s.io/api.New", "netpolicy/rules.init"})
    EXPECT_FALSE(of_standard_library(own)) << own;
  for (const char* standard : {"time.Now", "net/http.(*Client).Do", "runtime.gopark", "internal/poll.Read", "database/sql.(*DB).conn",
                               "vendor/golang.org/x/net/http2.New", "type:.eq.main.key", "_cgoexp_1"})
    EXPECT_TRUE(of_standard_library(standard)) << standard;
}

TEST(GoPlaces, AreTheProgramsOwn) {
  std::vector<GoCall> calls = {{"time.NewTimer", "sleep.go", 87, false, false}, {"main.consume", "/src/main.go", 98, false, false}};
  EXPECT_EQ(own_place_text(calls), "main.go:98 (main.consume)");
  EXPECT_EQ(own_place_text({}), "");
  EXPECT_EQ(places_text({{calls[1]}, ""}), "at main.go:98 (main.consume)");
  EXPECT_EQ(places_text({{calls[1], calls[0]}, ""}), "at one of main.go:98 (main.consume), sleep.go:87 (time.NewTimer)");
}

TEST(GoVariables, AreFoundInTheCodeThatUsesThem) {
  std::string code("\x48\x8b\x05\x00\x00\x00\x00\x80\x3d\x00\x00\x00\x00\x01", 14);  // mov 0(%rip),%rax; cmpb $1,0(%rip)
  EXPECT_EQ(uses_of_address(code, kAt, kAt + 7), std::vector<std::size_t>{3});
  EXPECT_EQ(uses_of_address(code, kAt, kAt + 14), std::vector<std::size_t>{9});
  EXPECT_TRUE(uses_of_address(code, kAt, kAt + 0x1000).empty());
}

TEST(ShortSlices, CanReachLittleOfTheirArray) {
  EXPECT_EQ(elements_of_short_slice(16, 16, 262144), 16u) << "b[:16:16]";
  EXPECT_EQ(elements_of_short_slice(16, 262144, 262144), 16u) << "b[:16]";
  EXPECT_EQ(elements_of_short_slice(4096, 4096, 4096), 0u);
  EXPECT_EQ(elements_of_short_slice(2000, 4096, 4096), 0u);
  EXPECT_EQ(elements_of_short_slice(10, 16, 1024), 0u) << "64 bytes each";
  EXPECT_EQ(elements_of_short_slice(2, 256, 8192), 0u) << "32 bytes each, and room for more";
  EXPECT_EQ(elements_of_short_slice(5, 4, 262144), 0u) << "no slice";
}

std::string head_of_map(std::uint64_t count, std::uint8_t shift, std::uint64_t buckets) {
  std::string head(48, '\0');
  std::memcpy(head.data(), &count, 8);
  head[9] = static_cast<char>(shift);
  std::memcpy(head.data() + 16, &buckets, 8);
  return head;
}

TEST(GoMaps, AreKnownByTheirHead) {
  auto size_of = [](std::uint64_t address) -> std::uint64_t { return address == 0xc000 ? 1 << 20 : 0; };
  EXPECT_EQ(go_map_length(head_of_map(20000, 12, 0xc000), 19, size_of), 20000u);
  EXPECT_EQ(go_map_length(head_of_map(20000, 12, 0xd000), 19, size_of), 0u) << "no object there";
  EXPECT_EQ(go_map_length(head_of_map(20000, 3, 0xc000), 19, size_of), 0u) << "more than fit into its buckets";
  EXPECT_EQ(go_map_length(std::string(40, '\0'), 19, size_of), 0u);
  std::string swiss = head_of_map(20000, 0, 0xc000);
  std::uint64_t tables = 32;
  std::memcpy(swiss.data() + 24, &tables, 8);
  swiss[32] = 5;
  EXPECT_EQ(go_map_length(swiss, 24, size_of), 20000u);
  swiss[32] = 4;
  EXPECT_EQ(go_map_length(swiss, 24, size_of), 0u);
}

}  // namespace
}  // namespace dwell
