// SPDX-License-Identifier: Apache-2.0
// Recorded events in, what users see out, through the ledger, a file, the reader and the views.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "tests/golden/event_script.h"
#include "tests/unit/ui/golden.h"
#include "ui/folded.h"
#include "userspace/memory/json.h"
#include "userspace/memory/text.h"
#include "userspace/base/files.h"
#include "userspace/subjects/chunks.h"
#include "userspace/recording/writer.h"

namespace dwell {
namespace {

struct TemporaryFolder {
  std::string path = testing::TempDir() + "dwell-golden-XXXXXX";
  TemporaryFolder() { EXPECT_NE(::mkdtemp(path.data()), nullptr); }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

std::string script() {
  Result<std::string> text = read_file(std::string(GOLDEN_FOLDER) + "/server.events");
  EXPECT_TRUE(text) << text.error().what;
  return *text;
}

Recording read(const std::string& path) {
  Result<Recording> recording = read_recording(path);
  EXPECT_TRUE(recording) << recording.error().what;
  return *recording;
}

std::string report_text(const Recording& recording) { return memory_text(*memory_report(recording, {}), {}); }

TEST(Pipeline, EachViewAsFoldedStacks) {
  TemporaryFolder folder;
  ASSERT_TRUE(record_script(script(), folder.path + "/r.dwell", true));
  Recording recording = read(folder.path + "/r.dwell");
  for (MemoryView view : {MemoryView::kRetained, MemoryView::kGrowing, MemoryView::kAllocated, MemoryView::kTemporary, MemoryView::kPeak}) {
    MemoryFilter filter;
    if (view == MemoryView::kGrowing) filter.from_ns = 5'000'000'000;
    Result<Profile> profile = memory_profile(recording, view, filter);
    ASSERT_TRUE(profile) << profile.error().what;
    expect_golden(std::string(name_of(view)) + ".folded", folded(*profile, profile->default_sample_type));
  }
}

TEST(Pipeline, TheReport) {
  TemporaryFolder folder;
  ASSERT_TRUE(record_script(script(), folder.path + "/r.dwell", true));
  expect_golden("report.txt", report_text(read(folder.path + "/r.dwell")));
}

TEST(Pipeline, ARecordingSymbolizedLaterGivesTheSameReportToTheByte) {
  TemporaryFolder folder;
  std::string at_once = folder.path + "/at-once.dwell", later = folder.path + "/later.dwell";
  ASSERT_TRUE(record_script(script(), at_once, true));
  Result<RecordedScript> recorded = record_script(script(), later, false);
  ASSERT_TRUE(recorded);
  EXPECT_NE(report_text(read(later)), report_text(read(at_once)));
  EXPECT_NE(report_text(read(later)).find("server+0x1010"), std::string::npos) << report_text(read(later));
  ASSERT_TRUE(rewrite_symbols(later, later, recorded->symbols));
  EXPECT_EQ(report_text(read(later)), report_text(read(at_once)));
  EXPECT_TRUE(*read_file(later) == *read_file(at_once));
}

}  // namespace
}  // namespace dwell
