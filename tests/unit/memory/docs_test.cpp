// SPDX-License-Identifier: Apache-2.0
// docs/report-json.md is the contract of the JSON: every field that is written must stand there.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/unit/memory/sample_reports.h"
#include "userspace/memory/json.h"
#include "userspace/base/files.h"

namespace dwell {
namespace {

void collect_fields(const nlohmann::json& json, std::set<std::string>& fields) {
  for (const auto& [key, value] : json.items()) {
    if (json.is_object()) fields.insert(key);
    if (value.is_structured()) collect_fields(value, fields);
  }
}

TEST(ReportDocs, EveryFieldIsDocumented) {
  Result<std::string> page = read_file(std::string(DOCS_FOLDER) + "/report-json.md");
  ASSERT_TRUE(page) << page.error().what;
  std::set<std::string> fields;
  collect_fields(nlohmann::json::parse(memory_json(server_report())), fields);
  collect_fields(nlohmann::json::parse(memory_json(troubled_report())), fields);
  collect_fields(nlohmann::json::parse(memory_diff_json(server_diff())), fields);
  EXPECT_GT(fields.size(), 60u);
  for (const std::string& field : fields) {
    EXPECT_NE(page->find('`' + field + '`'), std::string::npos) << field << " is not in docs/report-json.md";
  }
}

}  // namespace
}  // namespace dwell
