// SPDX-License-Identifier: Apache-2.0
// From a look to what is said of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "sample_look.h"
#include "userspace/threads/text.h"
#include "userspace/base/files.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;

TEST(ThreadReport, ThreadsThatStandAtTheSamePlaceAreOneGroup) {
  Result<ThreadReport> report = thread_report(sample_look_recording());
  ASSERT_TRUE(report);
  ASSERT_EQ(report->groups.size(), 2u);
  EXPECT_EQ(report->groups[0].threads, (std::vector<std::size_t>{0})) << "who runs comes first";
  EXPECT_EQ(report->groups[1].threads, (std::vector<std::size_t>{1, 2})) << "the longest wait first";
  EXPECT_EQ(report->threads[1].waiting_ns, 60'000'000'000u);
  EXPECT_EQ(report->threads[2].waiting_ns, 30'000'000'000u);
  EXPECT_FALSE(report->threads[0].waiting_ns) << "it doesn't wait";
  EXPECT_EQ(report->groups[1].stack.frames.frames()[0].function, "lock");
}

TEST(ThreadReport, ARecordingWithoutALookSaysHowToMakeOne) {
  Result<ThreadReport> report = thread_report(Recording());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().exit, Exit::kUsage);
  EXPECT_THAT(report.error().hint, HasSubstr("dwell threads"));
}

TEST(ThreadReport, TheProfileCountsThreadsAndTheirTime) {
  Result<Profile> profile = thread_profile(sample_look_recording());
  ASSERT_TRUE(profile);
  ASSERT_EQ(profile->sample_types.size(), 2u);
  ASSERT_EQ(profile->samples.size(), 2u);
  EXPECT_EQ(profile->samples[0].values, (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(profile->samples[1].values, (std::vector<std::int64_t>{2, 90'000'000'000}));
  EXPECT_EQ(profile->samples[1].labels[0].text, "sleeping");
  EXPECT_EQ(profile->samples[1].labels[1].text, "mutex");
  EXPECT_EQ(profile->samples[1].labels[2].text, "worker");
}

TEST(ThreadReport, TheTextNamesWhatMatters) {
  std::string text = threads_text(*thread_report(sample_look_recording()), {});
  EXPECT_THAT(text, HasSubstr("3 threads: 1 running, 2 sleeping"));
  EXPECT_THAT(text, HasSubstr("2 threads, waiting for up to 1 min 0 s: mutex queue_lock"));
  EXPECT_THAT(text, HasSubstr("worker 11, worker 12"));
}

void collect_fields(const nlohmann::json& json, std::set<std::string>& fields) {
  for (const auto& [key, value] : json.items()) {
    if (json.is_object()) fields.insert(key);
    if (value.is_structured()) collect_fields(value, fields);
  }
}

TEST(ThreadReport, EveryFieldOfTheJsonIsDocumented) {
  Result<std::string> page = read_file(std::string(DOCS_FOLDER) + "/report-json.md");
  ASSERT_TRUE(page) << page.error().what;
  std::set<std::string> fields;
  collect_fields(nlohmann::json::parse(threads_json(*thread_report(sample_look_recording()))), fields);
  EXPECT_GT(fields.size(), 30u);
  for (const std::string& field : fields)
    EXPECT_NE(page->find('`' + field + '`'), std::string::npos) << field << " is not in docs/report-json.md";
}

}  // namespace
}  // namespace dwell
