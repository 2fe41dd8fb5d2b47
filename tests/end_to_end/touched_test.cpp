// SPDX-License-Identifier: Apache-2.0
// Memory by the call site that touched it first: each way of growing is found at the function that touches the pages, by kind of
// mapping and page for page, also where no allocator function is called, names are stripped, or the kernel writes for the program.
#include <unistd.h>

#include "tests/end_to_end/harness.h"
#include "tests/targets/growth_kinds.h"
#include "tests/zero_pages.h"

namespace dwell::testing {
namespace {

constexpr double kMB = 1 << 20, kPage = 4096;

class Touched : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

struct Sum {
  double resident = 0, grown = 0, faults = 0;
};

bool leads_through(const nlohmann::json& site, const std::string& function) {
  for (const nlohmann::json& frame : site["stack"])
    if (frame["function"] == function || frame["function"].get<std::string>().starts_with(function + "(")) return true;
  return false;
}

// Of the first process, by function ("": all) and kind ("": each).
Sum sum_of(const nlohmann::json& report, const std::string& function, const std::string& kind) {
  Sum sum;
  if (!report.contains("touched") || report["touched"].empty()) {
    ADD_FAILURE() << "nothing is known of touched memory";
    return sum;
  }
  for (const nlohmann::json& site : report["touched"][0]["sites"]) {
    if ((!kind.empty() && site["kind"] != kind) || (!function.empty() && !leads_through(site, function))) continue;
    sum.resident += site["resident_bytes"].get<double>();
    sum.grown += site["grown_bytes"].get<double>();
    sum.faults += site["faults"].get<double>();
  }
  return sum;
}

nlohmann::json record_way(const std::string& way, const std::string& program = "growth_kinds",
                          const std::vector<std::string>& options = {"--only", "memory"}) {
  return record_scenario({target_binary(program), way}, options).report;
}

TEST_F(Touched, IsFoundAtTheFunctionThatTouchesIt) {
  struct {
    const char *way, *function, *kind;
  } ways[] = {{"anonymous", "map_anonymous", "anonymous mappings"}, {"memfd", "map_memfd", "shared memory"},
              {"segment", "attach_segment", "shared memory"},       {"extend", "extend", "anonymous mappings"},
              {"read_into", "read_into", "anonymous mappings"},     {"pass_on", "touch_for_good", "anonymous mappings"}};
  for (const auto& [way, function, kind] : ways) {
    nlohmann::json report = record_way(way);
    Sum sum = sum_of(report, function, kind);
    EXPECT_NEAR(sum.grown, GK_BYTES, 4 * kPage) << way;
    EXPECT_EQ(sum.resident, sum.grown) << way;
    EXPECT_EQ(report["touched"][0]["one_page_in"], 1) << way;
    EXPECT_LT(report["touched"][0]["unseen_bytes"].get<double>(), 0.3 * kMB) << way;
    expect_nothing_lost(report);
  }
}

TEST_F(Touched, OfThreadStacksIsTheDeepestCalls) {
  nlohmann::json report = record_way("stacks");
  double rss = report["process_memory"][0]["part_changes"]["thread_stacks"].get<double>();
  Sum sum = sum_of(report, "parse_value", "thread stacks");
  EXPECT_GT(rss, 0.85 * GK_BYTES);
  EXPECT_NEAR(sum.grown, rss, 0.01 * rss);
}

// What the blocks' call sites tell already is of one kind of its own.
TEST_F(Touched, InsideAHeapIsTheHeaps) {
  for (const char* program : {"growth_kinds", "growth_kinds_static"}) {
    nlohmann::json report = record_way("keep", program);
    EXPECT_NEAR(sum_of(report, "keep", "heap").grown, GK_BYTES, 0.1 * GK_BYTES) << program;
    EXPECT_LT(sum_of(report, "", "anonymous mappings").grown, 0.02 * GK_BYTES) << program;
  }
}

TEST_F(Touched, ThatWasGivenBackIsNotThere) {
  nlohmann::json report = record_way("give_back");
  Sum sum = sum_of(report, "give_back", "");
  EXPECT_EQ(sum.resident, 0);
  EXPECT_EQ(sum.faults, 3.0 * GK_BYTES / kPage);
  EXPECT_EQ(sum_of(record_way("pass_on"), "touch_for_a_while", "").resident, 0);
}

TEST_F(Touched, PagesOfZerosAreNobodys) {
  EXPECT_EQ(sum_of(record_way("read_zeros"), "read_zeros", "").resident, kernel_shares_zeros() ? 0 : GK_BYTES);
}

// Without any name and any allocator that could be probed.
TEST_F(Touched, IsFoundInAStrippedStaticProgram) {
  nlohmann::json report = record_way("anonymous", "growth_kinds_stripped", {"--only", "memory:touched"});
  Sum sum = sum_of(report, "", "anonymous mappings");
  EXPECT_NEAR(sum.grown, GK_BYTES, 16 * kPage);
  ASSERT_TRUE(report.contains("touched"));
  const nlohmann::json& top = report["touched"][0]["sites"][0];
  EXPECT_NEAR(top["grown_bytes"].get<double>(), GK_BYTES, 16 * kPage);
  EXPECT_TRUE(top["incomplete"].is_null()) << top;
  EXPECT_GE(top["stack"].size(), 3u) << top;
}

// Go's allocator makes its system calls itself.
TEST_F(Touched, IsFoundInAStrippedGoProgram) {
  if (::access(target_binary("go/fill").c_str(), X_OK) != 0) GTEST_SKIP() << "there is no Go toolchain";
  nlohmann::json report = record_scenario({target_binary("go/fill")}, {"--only", "memory:touched"}).report;
  EXPECT_NEAR(sum_of(report, "main.fillMapping", "anonymous mappings").grown, GK_BYTES, 4 * kPage);
  EXPECT_NEAR(sum_of(report, "main.fillHeap", "anonymous mappings").grown, GK_BYTES, 0.05 * GK_BYTES);  // and the runtime's own
}

// A person reads it in the summary, and in the report with the stack.
TEST_F(Touched, IsInTheSummaryWhereRssGrewOutsideOfHeaps) {
  TemporaryFolder folder;
  Program target({target_binary("growth_kinds"), "extend"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder.file("r.dwell"), {"--only", "memory"});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("done"));
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
  std::string summary = recording.program().output(), text = run({dwell_binary(), "report", folder.file("r.dwell")}).output;
  EXPECT_NE(summary.find("of anonymous mappings touched first at extend"), std::string::npos) << summary;
  EXPECT_NE(text.find("Memory by where it was touched first"), std::string::npos) << text;
  std::string folded = run({dwell_binary(), "export", folder.file("r.dwell"), "--view", "memory:touched", "--format", "folded"}).output;
  EXPECT_NE(folded.find("[anonymous mappings];"), std::string::npos) << folded;
  EXPECT_NE(folded.find("extend"), std::string::npos) << folded;
}

// Faults that come too fast are estimated from some of them, so they cost little; and say so.
TEST_F(Touched, OfAStormIsAnEstimate) {
  TemporaryFolder folder;
  Program target({target_binary("fault_storm"), "2", "8192"});  // as many different pages: one in 64 of these is followed, say
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder.file("r.dwell"), {"--only", "memory:touched"});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  auto pages = [&] {
    std::size_t seen = target.output().size();
    target.write_line("");
    EXPECT_TRUE(target.wait_for_output("pages"));
    return std::stod(target.output().substr(target.output().find("touched ", seen) + 8));
  };
  double before = pages();
  EXPECT_TRUE(eventually([&] { return pages() - before > 600'000; }));
  double after = pages();
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
  nlohmann::json touched = report(folder.file("r.dwell"))["touched"][0];
  EXPECT_GE(touched["one_page_in"].get<int>(), 4);
  double faults = sum_of({{"touched", {touched}}}, "map_touch_unmap", "").faults;
  EXPECT_GT(faults, 0.75 * (after - before));  // it went on while dwell attached and ended
}

}  // namespace
}  // namespace dwell::testing
