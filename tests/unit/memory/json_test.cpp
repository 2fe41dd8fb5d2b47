// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/ui/golden.h"
#include "tests/unit/memory/sample_reports.h"

namespace dwell {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MemoryJson, SaysAllThatTheTextSays) {
  expect_golden("report.json", memory_json(server_report()));
  expect_golden("report_troubled.json", memory_json(troubled_report()));
  expect_golden("diff.json", memory_diff_json(server_diff()));
}

TEST(MemoryJson, SitesAndWhatWasLeftOutAddUpToTheTotals) {
  nlohmann::json report = nlohmann::json::parse(memory_json(troubled_report()));
  for (const nlohmann::json& total : report["totals"]) {
    double sum = 0;
    for (const char* list : {"sites", "left_out"}) {
      for (const nlohmann::json& row : report[list]) {
        if (row["kind"] == total["kind"] && row["process"] == total["process"])
          sum += row["figures"]["retained_bytes"].get<double>();
      }
    }
    EXPECT_EQ(sum, total["figures"]["retained_bytes"].get<double>());
  }
}

TEST(MemoryJson, CountsAreWholeNumbersAndEstimatesAreNot) {
  MemoryReport report = server_report();
  report.sites[0].figures.retained_bytes = 1234.5;
  nlohmann::json written = nlohmann::json::parse(memory_json(report));
  EXPECT_TRUE(written["sites"][0]["figures"]["retained_bytes"].is_number_float());
  EXPECT_TRUE(written["sites"][1]["figures"]["retained_bytes"].is_number_integer());
}

TEST(MemoryJson, HostileNamesCannotReachATerminal) {
  EXPECT_THAT(memory_json(troubled_report()), Not(HasSubstr("\x1b")));
}

TEST(MemoryJson, AnEmptyReportHasAllItsFields) {
  nlohmann::json report = nlohmann::json::parse(memory_json(MemoryReport{}));
  for (const char* field : {"recording", "totals", "sites", "left_out", "losses", "stacks"})
    EXPECT_TRUE(report.contains(field));
  EXPECT_TRUE(report["cost"].is_null());
}

}  // namespace
}  // namespace dwell
