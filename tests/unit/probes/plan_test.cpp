// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bpf/probe_shapes.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

AllocModule module_of(const std::string& path) {
  Result<ElfFile> elf = ElfFile::open(path);
  EXPECT_TRUE(elf) << elf.error().what;
  AllocModule module = elf ? allocators_of(*elf) : AllocModule{};
  module.path = module.open_path = path;
  return module;
}

std::map<std::string, PlannedProbe> by_name(const std::vector<PlannedProbe>& probes) {
  std::map<std::string, PlannedProbe> result;
  for (const PlannedProbe& probe : probes) result.emplace(probe.function.name, probe);
  return result;
}

TEST(Plan, TheCookieSaysWhatThePlacementSays) {
  AllocModule module = module_of(OWN_LIBRARY);
  std::vector<PlannedProbe> probes = plan_module(module, {}, {.first_index = 40});
  ASSERT_THAT(probes, Not(IsEmpty()));
  std::set<unsigned> indexes;
  for (const PlannedProbe& probe : probes) {
    EXPECT_TRUE(indexes.insert(probe.index).second);
    EXPECT_GE(probe.index, 40);
    ASSERT_EQ(probe.site.candidates.size(), probe.placements.size());
    EXPECT_EQ(probe.site.returns, probe.end == CallEnd::kReturnProbe);
    EXPECT_EQ(probe.end == CallEnd::kNone, !wants_return(probe.function.shape));
    EXPECT_EQ(probe.site.exits.size(), probe.exits.size());
    for (std::size_t i = 0; i < probe.placements.size(); ++i) {
      std::uint64_t cookie = probe.site.candidates[i].cookie;
      EXPECT_EQ(dwell_probe_index_of(cookie), probe.index);
      EXPECT_EQ(dwell_probe_shape_of(cookie), static_cast<unsigned>(probe.placements[i].shape));
      EXPECT_EQ(dwell_probe_cfa_offset_of(cookie), probe.placements[i].cfa_offset);
      EXPECT_EQ((dwell_probe_flags_of(cookie) & DWELL_PROBE_RETURNS) != 0, probe.site.returns);
      EXPECT_EQ((dwell_probe_flags_of(cookie) & DWELL_PROBE_EXITS) != 0, !probe.exits.empty());
      EXPECT_EQ(probe.site.candidates[i].file_offset, probe.function.file_offset + probe.placements[i].offset);
    }
  }
}

TEST(Plan, UnderAFilterThatKillsReturnsAreSeenAtTheirInstructions) {
  auto probes = by_name(plan_module(module_of(OWN_LIBRARY), {}, {.returns_allowed = false}));
  for (const auto& [name, probe] : probes) {
    EXPECT_FALSE(probe.site.returns) << name;
    EXPECT_EQ(probe.refusal, "") << name;
    EXPECT_EQ(probe.exits.empty(), !wants_return(probe.function.shape)) << name;
  }
}

TEST(Plan, WhatMayThrowGetsNoReturnProbe) {
  auto probes = by_name(plan_module(module_of(OWN_LIBRARY), {}, {}));
  EXPECT_TRUE(probes.at("_Znwm").function.throws);
  for (const auto& [name, probe] : probes) {
    if (probe.function.throws) {
      EXPECT_NE(probe.end, CallEnd::kReturnProbe) << name;
    }
  }
}

TEST(Plan, GoCodeGetsNoReturnProbeAndCCodeBesideItDoes) {
  auto probes = by_name(plan_module(module_of(GO_LIKE_LIBRARY), {}, {}));
  EXPECT_THAT(probes.at("tc_malloc").refusal, HasSubstr("Go"));
  EXPECT_EQ(probes.at("tc_free").refusal, "");
  EXPECT_EQ(probes.at("malloc").refusal, "");
}

TEST(Plan, WhatTheKernelTookIsNoted) {
  std::vector<PlannedProbe> probes = plan_module(module_of(OWN_LIBRARY), {}, {});
  ASSERT_GE(probes.size(), 3u);
  probes[0].refusal = "refused before";
  std::vector<AttachedSite> answers(sites_of(probes).size());
  ASSERT_EQ(answers.size(), probes.size() - 1);
  for (AttachedSite& answer : answers) answer.candidate = 0;
  answers[0].candidate = 1;
  answers[1] = {-1, "attach it: no"};
  note_attached(probes, answers);
  EXPECT_EQ(probes[0].refusal, "refused before");
  EXPECT_EQ(probes[1].candidate, 1);
  EXPECT_EQ(probes[2].refusal, "attach it: no");
}

TEST(Plan, AModuleThatIsGoneIsRefusedWithTheReason) {
  AllocModule module = module_of(OWN_LIBRARY);
  module.open_path = "/no/such/library.so";
  for (const PlannedProbe& probe : plan_module(module, {}, {})) EXPECT_THAT(probe.refusal, HasSubstr("/no/such/library.so"));
}

}  // namespace
}  // namespace dwell
