// SPDX-License-Identifier: Apache-2.0
// The profile as pprof itself reads it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ui/run_tool.h"
#include "tests/unit/ui/sample_profiles.h"
#include "ui/pprof.h"

namespace dwell {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class PprofToolTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_installed("go")) GTEST_SKIP() << "go is not installed";
  }
  // pprof looks for binaries and debug files unless it is told where; the profile has all that is needed.
  std::string run(const Profile& profile, const std::string& options) {
    std::string file = folder_.write("profile.pb.gz", *pprof(profile));
    ToolOutput output =
        run_tool("cd " + folder_.path() + " && HOME=" + folder_.path() +
                 " PPROF_BINARY_PATH=" + folder_.path() + " go tool pprof " + options + " " + file + " 2>&1");
    EXPECT_EQ(output.exit_code, 0) << output.text;
    return output.text;
  }

 private:
  ScratchFolder folder_;
};

TEST_F(PprofToolTest, TopShowsTheDefaultTypeAndTheCallSites) {
  std::string top = run(server_profile(), "-symbolize=none -top");
  EXPECT_THAT(top, HasSubstr("Type: inuse_space"));
  EXPECT_THAT(top, HasSubstr("Time: Nov 14, 2023"));
  EXPECT_THAT(top, HasSubstr("Duration: 60s, Total samples = 46.29MB"));
  EXPECT_THAT(top, ContainsRegex("40MB .*operator new"));
  EXPECT_THAT(top, ContainsRegex("46MB 99\\.38%  main"));
}

TEST_F(PprofToolTest, TopNamesCallSitesWhereTheProfileIsOfMemory) {
  Profile profile = server_profile();
  profile.allocators_are_leaves = true;
  std::string top = run(profile, "-symbolize=none -top");
  EXPECT_THAT(top, Not(ContainsRegex("operator new|malloc")));
  EXPECT_THAT(top, HasSubstr("Total samples = 46.29MB"));
  EXPECT_THAT(top, ContainsRegex("40MB .*Cache::insert"));
}

TEST_F(PprofToolTest, OtherTypesAreThereByName) {
  std::string top = run(server_profile(), "-symbolize=none -sample_index=inuse_objects -top");
  EXPECT_THAT(top, HasSubstr("Type: inuse_objects"));
  EXPECT_THAT(top, ContainsRegex("1200 .*Log::append"));
}

TEST_F(PprofToolTest, RawShowsMappingsInlinesAndLabels) {
  std::string raw = run(server_profile(), "-symbolize=none -raw");
  EXPECT_THAT(raw, HasSubstr("PeriodType: space bytes"));
  EXPECT_THAT(raw, HasSubstr("Period: 524288"));
  EXPECT_THAT(raw, HasSubstr("/usr/bin/server 0123456789abcdef6572 [FN][FL][LN][IN]"));
  EXPECT_THAT(raw, ContainsRegex("Cache::insert cache.h:41"));
  EXPECT_THAT(raw, ContainsRegex("Server::handle.* server.cpp:120"));
  EXPECT_THAT(raw, HasSubstr("thread:[worker]"));
  EXPECT_THAT(raw, ContainsRegex("1 +64: [0-9]+ *\n"));  // the stack without frames
  EXPECT_THAT(raw, HasSubstr("dwell record -p 4242"));
}

TEST_F(PprofToolTest, ADifferenceHasSigns) {
  std::string top = run(difference_profile(), "-symbolize=none -top");
  EXPECT_THAT(top, ContainsRegex("-3MB .*drop_cache"));
  EXPECT_THAT(top, ContainsRegex(" 7MB .*fill_cache"));
}

TEST_F(PprofToolTest, HostileNamesAreRead) {
  EXPECT_THAT(run(hostile_profile(), "-symbolize=none -top"), HasSubstr("日本語の関数"));
}

TEST(PprofWire, DecodesWithoutOurDefinition) {
  if (!is_installed("protoc")) GTEST_SKIP() << "protoc is not installed";
  ScratchFolder folder;
  std::string file = folder.write("profile.pb.gz", *pprof(server_profile()));
  ToolOutput output = run_tool("gzip -dc " + file + " | protoc --decode_raw");
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_THAT(output.text, HasSubstr("6: \"inuse_space\""));
  EXPECT_THAT(output.text, HasSubstr("9: 1700000000000000000"));
  EXPECT_THAT(output.text, HasSubstr("10: 60000000000"));
}

}  // namespace
}  // namespace dwell
