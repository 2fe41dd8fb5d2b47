// SPDX-License-Identifier: Apache-2.0
// C's memory under Go: each block belongs to the line of Go that asked for it, however often the stack changes between the
// languages. DWELL_GO_C_MEMORY may name more builds of the target, of other versions of Go; DWELL_GO_C_MEMORY_ROUNDS says how
// often each of its twenty call sites asks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"

namespace dwell::testing {
namespace {

constexpr int kFirstSize = 1001, kSites = 20;
constexpr const char* kSource = DWELL_GO_SOURCES "/c_memory.go";

std::vector<std::string> builds() { return builds_of({"c_memory", "c_memory_stripped", "c_memory_pie"}, "DWELL_GO_C_MEMORY"); }

// Line of Go that asks for blocks of this size, and how many callbacks lie between.
struct Asker {
  int line = 0, callbacks = 0;
};
std::map<int, Asker> askers() {
  std::map<int, Asker> result;
  std::ifstream source(kSource);
  std::string text;
  for (int line = 1; std::getline(source, text); ++line) {
    int size = 0, depth = 0;
    std::size_t call = text.find("C.take");
    if (call == std::string::npos) continue;
    if (std::sscanf(text.c_str() + call, "C.takeDeep(%d, %d)", &depth, &size) == 2) result[size] = {line, depth};
    if (std::sscanf(text.c_str() + call, "C.take(%d)", &size) == 1) result[size] = {line, 0};
    if (text.find("site 20") != std::string::npos) result[kFirstSize + kSites - 1] = {line, 0};
  }
  return result;
}

bool goes_through(const nlohmann::json& site, int line) {
  for (const nlohmann::json& frame : site["stack"])
    if (frame["line"] == line && frame["file"].get<std::string>().ends_with("c_memory.go") && frame["function"].get<std::string>().starts_with("main."))
      return true;
  return false;
}

int times(const nlohmann::json& site, std::string_view function) {
  int found = 0;
  for (const nlohmann::json& frame : site["stack"]) found += frame["function"].get<std::string>().starts_with(function);
  return found;
}

class CMemory : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    DWELL_NEEDS_BPF();
    const char* asked = std::getenv("DWELL_GO_C_MEMORY_ROUNDS");
    rounds_ = asked ? std::atoi(asked) : 300;
    Program target({GetParam(), std::to_string(rounds_)});
    ASSERT_TRUE(target.wait_for_output("ready"));
    TemporaryFolder folder;
    Recording recorder(target.pid(), folder.file("r.dwell"), {"--exact"});
    ASSERT_TRUE(recorder.attached());
    target.write_line("go");
    ASSERT_TRUE(target.wait_for_output("done", std::chrono::seconds(200)));
    ASSERT_EQ(recorder.stop(), 0) << recorder.program().errors();
    report_ = report(folder.file("r.dwell"));
    text_ = run({dwell_binary(), "report", folder.file("r.dwell")}).output;
  }

  int rounds_ = 0;
  nlohmann::json report_;
  std::string text_;
};

TEST_P(CMemory, BelongsToTheLinesOfGoThatAskedForIt) {
  std::map<int, Asker> lines = askers();
  ASSERT_EQ(lines.size(), std::size_t{kSites});
  std::int64_t attributed = 0;
  for (const auto& [size, asker] : lines) {
    std::int64_t blocks = 0, bytes = 0;
    for (const nlohmann::json& site : report_["sites"]) {
      if (site["kind"] != "heap" || !goes_through(site, asker.line)) continue;
      if (!times(site, "malloc")) continue;  // the list of what is kept
      EXPECT_TRUE(site["incomplete"].is_null()) << site.dump(1);
      blocks += site["figures"]["allocations"].get<std::int64_t>();
      bytes += site["figures"]["allocated_bytes"].get<std::int64_t>();
      EXPECT_EQ(times(site, "main.goBack"), asker.callbacks) << site.dump(1);
      EXPECT_EQ(times(site, "crosscall2"), size == kFirstSize + kSites - 1 ? 1 : asker.callbacks) << site.dump(1);
    }
    EXPECT_EQ(blocks, rounds_) << "line " << asker.line;
    EXPECT_EQ(bytes, std::int64_t{rounds_} * size) << "line " << asker.line;
    attributed += blocks;
  }
  EXPECT_EQ(attributed, std::int64_t{rounds_} * kSites);
  expect_nothing_lost(report_);
  int longest_way = lines.at(kFirstSize + 18).line;
  EXPECT_THAT(text_, ::testing::HasSubstr("(c_memory.go:" + std::to_string(longest_way) + ")"));
  EXPECT_THAT(text_, ::testing::Not(::testing::HasSubstr("asmcgocall ←")));
}

INSTANTIATE_TEST_SUITE_P(Builds, CMemory, ::testing::ValuesIn(builds()), name_of_build);

}  // namespace
}  // namespace dwell::testing
