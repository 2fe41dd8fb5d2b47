// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/cpu_time.h"

#include <fmt/core.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "userspace/base/text.h"

namespace dwell {
namespace {

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<WantedCpuTime> wanted_cpu_time_in(std::string_view schedstat) {
  std::vector<std::string_view> words = words_in(schedstat);
  if (words.size() < 3) return std::nullopt;
  std::optional<std::uint64_t> ran = number_in(words[0]), waited = number_in(words[1]);
  if (!ran || !waited) return std::nullopt;
  return WantedCpuTime{*ran, *waited};
}

std::optional<WantedCpuTime> wanted_cpu_time(pid_t pid) {
  std::optional<WantedCpuTime> all;
  std::error_code error;
  std::filesystem::directory_iterator tasks(fmt::format("/proc/{}/task", pid), error);
  for (; !error && tasks != std::filesystem::directory_iterator(); tasks.increment(error)) {
    std::ifstream file(tasks->path() / "schedstat");
    std::string line;
    std::getline(file, line);
    std::optional<WantedCpuTime> one = wanted_cpu_time_in(line);
    if (!one) continue;
    if (!all) all.emplace();
    all->ran_ns += one->ran_ns;
    all->waited_ns += one->waited_ns;
  }
  return all;
}

}  // namespace dwell
