// SPDX-License-Identifier: Apache-2.0
#include "ui/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/ui/golden.h"
#include "tests/unit/ui/sample_profiles.h"
#include "ui/speedscope.h"

namespace dwell {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Export, FormatsHaveNamesAndEndings) {
  EXPECT_EQ(export_format_named("pprof"), ExportFormat::kPprof);
  EXPECT_EQ(export_format_named("gif"), std::nullopt);
  EXPECT_EQ(export_format_of_file("a/b.pb.gz"), ExportFormat::kPprof);
  EXPECT_EQ(export_format_of_file("x.svg"), ExportFormat::kSvg);
  EXPECT_EQ(export_format_of_file("x.speedscope.json"), ExportFormat::kSpeedscope);
  EXPECT_EQ(export_format_of_file("x.json"), std::nullopt);
}

TEST(Export, TheDefaultTypeUnlessAnotherIsNamed) {
  EXPECT_THAT(*export_profile(server_profile(), ExportFormat::kFolded, {}), HasSubstr("[unknown] 64\n"));
  EXPECT_THAT(*export_profile(server_profile(), ExportFormat::kFolded, {.sample_type = "inuse_objects"}),
              HasSubstr("[unknown] 1\n"));
}

TEST(Export, AnUnknownTypeIsRefusedWithTheKnownOnes) {
  Result<std::string> result = export_profile(server_profile(), ExportFormat::kSvg, {.sample_type = "cpu"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().exit, Exit::kUsage);
  EXPECT_THAT(result.error().hint, HasSubstr("inuse_objects, inuse_space"));
}

TEST(Export, KindsOfMemoryStandApart) {
  ProfileBuilder builder{{"inuse_space", "bytes"}};
  builder.stack({"main"}, {10}).stack({"main"}, {1000});
  builder.profile.samples[0].labels = {{"kind", "heap", 0, ""}};
  builder.profile.samples[1].labels = {{"kind", "mapping", 0, ""}};
  EXPECT_EQ(*export_profile(builder.profile, ExportFormat::kFolded, {}),
            "[heap];main 10\n[mapping];main 1000\n");
  builder.profile.samples.pop_back();
  EXPECT_EQ(*export_profile(builder.profile, ExportFormat::kFolded, {}), "main 10\n");
}

TEST(Export, EveryFormatTakesAnyProfile) {
  for (const Profile& profile : {server_profile(), difference_profile(), hostile_profile()}) {
    for (ExportFormat format :
         {ExportFormat::kSvg, ExportFormat::kFolded, ExportFormat::kPprof, ExportFormat::kSpeedscope}) {
      EXPECT_TRUE(export_profile(profile, format, {}));
    }
  }
}

TEST(Speedscope, HasEveryTypeAndIsValidJson) {
  expect_golden("server.speedscope.json", speedscope(server_profile()));
  nlohmann::json written = nlohmann::json::parse(speedscope(server_profile()));
  ASSERT_EQ(written["profiles"].size(), 2u);
  EXPECT_EQ(written["profiles"][1]["unit"], "bytes");
  std::int64_t sum = 0;
  for (const nlohmann::json& weight : written["profiles"][1]["weights"]) sum += weight.get<std::int64_t>();
  EXPECT_EQ(sum, written["profiles"][1]["endValue"]);
  for (const nlohmann::json& stack : written["profiles"][1]["samples"]) {
    for (const nlohmann::json& frame : stack)
      EXPECT_LT(frame.get<std::size_t>(), written["shared"]["frames"].size());
  }
}

TEST(Speedscope, OfADifferenceOnlyWhatGrew) {
  nlohmann::json written = nlohmann::json::parse(speedscope(difference_profile()));
  EXPECT_EQ(written["profiles"][0]["name"], "inuse_space, what grew");
  EXPECT_EQ(written["profiles"][0]["endValue"], 7'340'032 + 1'048'576 + 500);
}

TEST(Speedscope, HostileNamesAreText) {
  EXPECT_FALSE(nlohmann::json::parse(speedscope(hostile_profile()), nullptr, false).is_discarded());
}

}  // namespace
}  // namespace dwell
