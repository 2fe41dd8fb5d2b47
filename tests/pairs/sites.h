// SPDX-License-Identifier: Apache-2.0
// What a report has of pairs, by pair and by function that took.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace dwell::testing {

inline std::vector<std::string> only(const std::vector<std::string>& pairs) {
  std::vector<std::string> options = {"--only", "pairs"};
  for (const std::string& pair : pairs) options.insert(options.end(), {"--pair", pair});
  return options;
}

inline nlohmann::json pair_named(const nlohmann::json& report, const std::string& name) {
  for (const nlohmann::json& pair : report["pairs"]["pairs"])
    if (pair["name"] == name) return pair;
  return nullptr;
}

struct SiteSum {
  double taken = 0, given = 0, held = 0, held_size = 0;
  bool leaks = false;
  bool operator==(const SiteSum&) const = default;
};

inline SiteSum taken_by(const nlohmann::json& report, const std::string& pair, const std::string& function) {
  SiteSum sum;
  for (const nlohmann::json& site : report["pairs"]["sites"]) {
    bool there = std::ranges::any_of(site["stack"], [&](const nlohmann::json& frame) { return frame["function"] == function; });
    if (!there || site["pair"] != pair) continue;
    sum.taken += site["taken"].get<double>();
    sum.given += site["given"].get<double>();
    sum.held += site["held"].get<double>();
    if (site.contains("held_size")) sum.held_size += site["held_size"].get<double>();
    sum.leaks |= !site["leak"].is_null();
    EXPECT_TRUE(site["incomplete"].is_null()) << site;
  }
  return sum;
}

inline void expect(const SiteSum& sum, double taken, double given) {
  EXPECT_EQ(sum.taken, taken);
  EXPECT_EQ(sum.given, given);
  EXPECT_EQ(sum.held, taken - given);
}

}  // namespace dwell::testing
