// SPDX-License-Identifier: Apache-2.0
#include "ui/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/unit/ui/golden.h"
#include "tests/unit/ui/sample_profiles.h"
#include "ui/escape.h"
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

bool is_clean_utf8(std::string_view text) {
  while (!text.empty()) {
    Utf8Char next = next_utf8(text);
    bool control = next.code < 0x20 && next.code != '\n';
    if (!next.valid || control || next.code == 0x7f) return false;
    text.remove_prefix(next.size);
  }
  return true;
}

// Names made of any bytes: what is written stays text, and the data in it stays JSON.
TEST(Export, NamesOfAnyBytesStayText) {
  std::mt19937 random(20240229);
  for (int round = 0; round < 200; ++round) {
    ProfileBuilder builder{{"inuse_space", "bytes"}};
    builder.stack({"main", "leaf"}, {100});
    for (ProfileLocation& location : builder.profile.locations) {
      std::string& name = location.lines[0].function;
      name.clear();
      for (int i = 0; i < 40; ++i) name += static_cast<char>(random());
      location.lines[0].file = name;
    }
    std::string svg = *export_profile(builder.profile, ExportFormat::kSvg, {});
    EXPECT_TRUE(is_clean_utf8(svg));
    std::size_t from = svg.find("id=\"data\">") + 10;
    EXPECT_FALSE(nlohmann::json::parse(svg.substr(from, svg.find("</script>", from) - from), nullptr, false)
                     .is_discarded());
    std::string json = *export_profile(builder.profile, ExportFormat::kSpeedscope, {});
    EXPECT_TRUE(is_clean_utf8(json));
    EXPECT_FALSE(nlohmann::json::parse(json, nullptr, false).is_discarded());
    std::string lines = *export_profile(builder.profile, ExportFormat::kFolded, {});
    EXPECT_TRUE(is_clean_utf8(lines));
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), ';'), 1);
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
