// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/resource_limits.h"

#include <charconv>
#include <vector>

#include "userspace/base/text.h"

namespace dwell {

std::optional<std::uint64_t> soft_limit_in(std::string_view limits, std::string_view name) {
  for (std::string_view line : split(limits, '\n')) {
    if (!line.starts_with(name)) continue;
    std::vector<std::string_view> words = words_in(line.substr(name.size()));
    std::uint64_t value = 0;
    if (words.empty() || std::from_chars(words[0].data(), words[0].data() + words[0].size(), value).ec != std::errc()) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

}  // namespace dwell
