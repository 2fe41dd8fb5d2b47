// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <string_view>

#include "userspace/commands/options.h"

namespace dwell {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

std::optional<std::uint64_t> parse_quantity(std::string_view text, std::initializer_list<Unit> units) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  std::string_view suffix = text.substr(end - text.data());
  for (const Unit& unit : units) {
    if (suffix != unit.suffix) continue;
    double value = number * unit.factor;
    if (value >= 9e18) return std::nullopt;
    return static_cast<std::uint64_t>(std::llround(value));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_size(const std::string& text) {
  constexpr double kK = 1024;
  return parse_quantity(text, {{"", 1}, {"B", 1}, {"K", kK}, {"KB", kK}, {"k", kK}, {"M", kK * kK}, {"MB", kK * kK},
                               {"m", kK * kK}, {"G", kK * kK * kK}, {"GB", kK * kK * kK}, {"g", kK * kK * kK}});
}

std::optional<double> parse_percent(const std::string& text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view suffix = std::string_view(text).substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc{} || !(number > 0 && number <= 100) || !(suffix.empty() || suffix == "%" || suffix == " %"))
    return std::nullopt;
  return number / 100;
}

std::optional<std::uint64_t> parse_duration(const std::string& text) {
  return parse_quantity(text, {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}});
}

}  // namespace dwell
