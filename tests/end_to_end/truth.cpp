// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/truth.h"

#include <unistd.h>

#include <algorithm>

namespace dwell::testing {

namespace {

std::string text_of(const std::vector<nlohmann::json>& sites) {
  std::string text;
  for (const nlohmann::json& site : sites) {
    text += site["figures"]["retained_blocks"].dump() + " blocks, " + site["figures"]["retained_bytes"].dump() + " bytes:";
    for (const nlohmann::json& frame : site["stack"]) text += " <- " + frame["function"].get<std::string>();
    text += "\n";
  }
  return text;
}

bool has_frame(const nlohmann::json& site, const std::string& function) {
  const nlohmann::json& stack = site["stack"];
  return std::any_of(stack.begin(), stack.end(), [&](const auto& frame) { return frame["function"] == function; });
}

}  // namespace

void expect_kept(const nlohmann::json& report, const std::vector<Truth>& all, Stacks stacks) {
  for (const Truth& truth : all) {
    std::vector<nlohmann::json> sites = sites_in(report, truth.function, truth.kind);
    EXPECT_EQ(sum(sites, "retained_blocks"), truth.blocks) << truth.function << "\n" << text_of(sites);
    EXPECT_EQ(sum(sites, "retained_bytes"), truth.bytes) << truth.function << "\n" << text_of(sites);
    for (const nlohmann::json& site : sites) {
      bool reaches = stacks == Stacks::kComplete ? site["incomplete"].is_null() : has_frame(site, "main");
      EXPECT_TRUE(reaches) << site["incomplete"] << "\n" << text_of({site});
    }
  }
}

void expect_nothing_else(const nlohmann::json& report, const std::vector<Truth>& all, const std::string& kind) {
  double blocks = 0, bytes = 0;
  for (const Truth& truth : all) {
    if (truth.kind != kind) continue;
    blocks += truth.blocks;
    bytes += truth.bytes;
  }
  double total_blocks = 0, total_bytes = 0;
  std::vector<nlohmann::json> sites;
  for (const nlohmann::json& total : report["totals"]) {
    if (total["kind"] != kind) continue;
    total_blocks += total["figures"]["retained_blocks"].get<double>();
    total_bytes += total["figures"]["retained_bytes"].get<double>();
  }
  for (const nlohmann::json& site : report["sites"])
    if (site["kind"] == kind && site["figures"]["retained_blocks"] != 0) sites.push_back(site);
  EXPECT_EQ(total_blocks, blocks) << kind << "\n" << text_of(sites);
  EXPECT_EQ(total_bytes, bytes) << kind << "\n" << text_of(sites);
}

void expect_no_surprise(const nlohmann::json& report, bool but_unknown_frees) {
  for (const auto& [what, count] : report["surprises"].items()) {
    if (but_unknown_frees && (what == "unknown_frees" || what == "cache_frees")) continue;
    EXPECT_EQ(count, 0) << what;
  }
}

bool is_installed(const std::string& library) {
  return ::access(("/usr/lib/x86_64-linux-gnu/" + library).c_str(), R_OK) == 0;
}

}  // namespace dwell::testing
