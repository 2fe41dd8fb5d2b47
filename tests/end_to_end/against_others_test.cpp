// SPDX-License-Identifier: Apache-2.0
// The same program under other tools: the same leaks at the same places, and as many allocations.
#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/end_to_end/truth.h"
#include "tests/targets/leaks.h"

namespace dwell::testing {
namespace {

const std::vector<Truth> kInC = {LEAKS_IN_C(HEAP_TRUTH)};
const std::vector<Truth> kInCxx = {LEAKS_IN_CXX(HEAP_TRUTH)};

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool has_tool(const std::string& tool) { return run({"/bin/sh", "-c", "command -v " + tool}).exit == 0; }

struct Usage {
  std::int64_t allocations = 0, allocated_bytes = 0, blocks_at_exit = 0, bytes_at_exit = 0;
  bool operator==(const Usage&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Usage& usage) {
  return out << usage.allocations << " allocations of " << usage.allocated_bytes << " bytes, at exit "
             << usage.blocks_at_exit << " of " << usage.bytes_at_exit;
}

// ---- what each tool says ----

nlohmann::json by_dwell(const std::string& program, const std::string& folder) {
  std::string path = folder + "/r.dwell";
  Finished finished = run({dwell_binary(), "record", "-q", "-o", path, "--", program});
  EXPECT_EQ(finished.exit, 0) << finished.errors;
  return report(path);
}

Usage usage_by_dwell(const nlohmann::json& report) {
  Usage usage;
  for (const nlohmann::json& total : report["totals"]) {
    if (total["kind"] != "heap") continue;
    const nlohmann::json& figures = total["figures"];
    usage.allocations += figures["allocations"].get<std::int64_t>();
    usage.allocated_bytes += figures["allocated_bytes"].get<std::int64_t>();
    usage.blocks_at_exit += figures["retained_blocks"].get<std::int64_t>();
    usage.bytes_at_exit += figures["retained_bytes"].get<std::int64_t>();
  }
  return usage;
}

std::int64_t number_in(const std::string& text, const std::regex& pattern, int group = 1) {
  std::smatch found;
  if (!std::regex_search(text, found, pattern)) return -1;
  std::string digits = found[group];
  digits.erase(std::remove(digits.begin(), digits.end(), ','), digits.end());
  return std::stoll(digits);
}

// What lies between <element> and </element>, once for each.
std::vector<std::string> elements(const std::string& xml, const std::string& name) {
  std::vector<std::string> found;
  std::string open = "<" + name + ">", close = "</" + name + ">";
  for (std::size_t at = xml.find(open); at != std::string::npos; at = xml.find(open, at)) {
    at += open.size();
    found.push_back(xml.substr(at, xml.find(close, at) - at));
  }
  return found;
}

std::vector<Truth> by_valgrind(const std::string& program, const std::string& folder, const std::vector<Truth>& functions) {
  std::string path = folder + "/valgrind.xml";
  run({"valgrind", "--leak-check=full", "--show-leak-kinds=all", "--run-libc-freeres=no", "--run-cxx-freeres=no",
       "--num-callers=50", "--xml=yes", "--xml-file=" + path, program});
  std::vector<Truth> sums = functions;
  for (Truth& sum : sums) sum.blocks = sum.bytes = 0;
  for (const std::string& leak : elements(content_of(path), "error")) {
    std::vector<std::string> frames = elements(leak, "fn");
    for (Truth& sum : sums) {
      if (std::find(frames.begin(), frames.end(), sum.function) == frames.end()) continue;
      // "1,600 (32 direct, 1,568 indirect) bytes": what is indirect has an element of its own.
      std::int64_t direct = number_in(leak, std::regex("\\(([0-9,]+) direct"));
      sum.bytes += direct >= 0 ? direct : std::stoll(elements(leak, "leakedbytes").at(0));
      sum.blocks += std::stoll(elements(leak, "leakedblocks").at(0));
    }
  }
  return sums;
}

Usage usage_by_valgrind(const std::string& program) {
  std::string text = run({"valgrind", "--run-libc-freeres=no", "--run-cxx-freeres=no", program}).errors;
  return {number_in(text, std::regex("([0-9,]+) allocs")), number_in(text, std::regex("([0-9,]+) bytes allocated")),
          number_in(text, std::regex("in use at exit: [0-9,]+ bytes in ([0-9,]+) blocks")),
          number_in(text, std::regex("in use at exit: ([0-9,]+) bytes"))};
}

// By its folded stacks: one with all bytes leaked, one with all allocations; of a function that only leaks
// the latter is the number of blocks.
std::vector<Truth> by_heaptrack(const std::string& program, const std::string& folder, const std::vector<Truth>& functions) {
  Finished recorded = run({"heaptrack", "-o", folder + "/heaptrack", program});
  std::string file = recorded.output.find(".zst") != std::string::npos ? "/heaptrack.zst" : "/heaptrack.gz";
  std::vector<Truth> sums = functions;
  for (Truth& sum : sums) sum.blocks = sum.bytes = 0;
  for (const char* cost : {"leaked", "allocations"}) {
    std::string path = folder + "/" + cost;
    run({"heaptrack_print", "-f", folder + file, "-F", path, "--flamegraph-cost-type", cost});
    std::istringstream lines(content_of(path));
    for (std::string line; std::getline(lines, line);)
      for (Truth& sum : sums)
        if (line.find(sum.function + " (") != std::string::npos)
          (cost == std::string("leaked") ? sum.bytes : sum.blocks) += std::stoll(line.substr(line.rfind(' ')));
  }
  return sums;
}

// ---- the comparisons ----

struct Leaking {
  std::string name;
  std::vector<Truth> truth;
};
std::ostream& operator<<(std::ostream& out, const Leaking& program) { return out << program.name; }

class AgainstOthers : public ::testing::TestWithParam<Leaking> {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
  std::string program() const { return target_binary(GetParam().name); }
  TemporaryFolder folder_;
};

TEST_P(AgainstOthers, ThisIsTheTruth) {
  nlohmann::json report = by_dwell(program(), folder_.path());
  expect_nothing_lost(report);
  expect_no_surprise(report, true);
  expect_kept(report, GetParam().truth);
}

TEST_P(AgainstOthers, ValgrindSeesTheSameLeaksAtTheSamePlaces) {
  if (!has_tool("valgrind")) GTEST_SKIP() << "valgrind is not installed";
  nlohmann::json report = by_dwell(program(), folder_.path());
  expect_kept(report, by_valgrind(program(), folder_.path(), GetParam().truth));
}

// From the first instruction on: the dynamic loader's allocations and the constructors' are among them.
TEST_P(AgainstOthers, ValgrindCountsAsManyAllocations) {
  if (!has_tool("valgrind")) GTEST_SKIP() << "valgrind is not installed";
  EXPECT_EQ(usage_by_dwell(by_dwell(program(), folder_.path())), usage_by_valgrind(program()));
}

TEST_P(AgainstOthers, HeaptrackSeesTheSameLeaksAtTheSamePlaces) {
  if (!has_tool("heaptrack") || !has_tool("heaptrack_print")) GTEST_SKIP() << "heaptrack is not installed";
  nlohmann::json report = by_dwell(program(), folder_.path());
  for (const Truth& their : by_heaptrack(program(), folder_.path(), GetParam().truth)) {
    std::vector<nlohmann::json> sites = sites_in(report, their.function);
    EXPECT_EQ(sum(sites, "retained_bytes"), their.bytes) << their.function;
    EXPECT_EQ(sum(sites, "allocations"), their.blocks) << their.function;
  }
}

INSTANTIATE_TEST_SUITE_P(Leaks, AgainstOthers, ::testing::Values(Leaking{"leaks", kInC}, Leaking{"leaks_cxx", kInCxx}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace dwell::testing
