// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/code_signs.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/unique_fd.h"

namespace dwell {
namespace {

constexpr char kBreakpoint = '\xcc';
constexpr std::uint64_t kMostCompared = std::uint64_t{64} << 20;
// Parts of the names of libraries that put hooks into code, as agents and instrumentation kits do.
constexpr std::string_view kHookers[] = {"frida", "oneagent", "appdynamics", "substrate", "dobby",
                                         "funchook", "subhook", "detours", "gum-", "libcontrast"};

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_file_code(const Mapping& mapping) { return mapping.executable && mapping.is_file(); }

// Empty: it can't be read whole.
std::string read_range(const std::string& path, std::uint64_t offset, std::uint64_t size) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string bytes(size, '\0');
  if (!file.valid() || ::pread(file.get(), bytes.data(), size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
    return {};
  return bytes;
}

std::string sign_of_difference(pid_t pid, const Mapping& mapping) {
  std::uint64_t size = std::min(mapping.end - mapping.start, kMostCompared);
  Result<std::string> path = path_to_open(pid, mapping);
  if (!path) return {};
  std::string file = read_range(*path, mapping.file_offset, size);
  std::string memory = read_range(fmt::format("/proc/{}/mem", living_thread(pid)), mapping.start, size);
  if (file.empty() || memory.empty()) return {};
  CodeDifference difference = compare_code(file, memory);
  if (difference.bytes == 0) return {};
  if (difference.bytes == difference.breakpoints)
    return fmt::format("{} breakpoint{} in the code of {}: another tracer is attached to it", difference.bytes,
                       difference.bytes == 1 ? "" : "s", mapping.path);
  return fmt::format("{} bytes of the code of {} differ from its file: something rewrites code in it", difference.bytes,
                     mapping.path);
}

std::string tracer_sign(pid_t pid) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", living_thread(pid)));
  std::size_t at = status ? status->find("\nTracerPid:") : std::string::npos;
  if (at == std::string::npos) return {};
  long tracer = std::strtol(status->c_str() + at + 11, nullptr, 10);
  if (tracer == 0) return {};
  return fmt::format("PID {} traces it by ptrace, as debuggers do", tracer);
}

}  // namespace

CodeDifference compare_code(std::string_view file, std::string_view memory) {
  CodeDifference difference;
  for (std::size_t i = 0; i < std::min(file.size(), memory.size()); ++i) {
    if (file[i] == memory[i]) continue;
    ++difference.bytes;
    difference.breakpoints += memory[i] == kBreakpoint;
  }
  return difference;
}

std::vector<std::uint64_t> dirty_mappings(std::string_view smaps) {
  constexpr std::string_view kDirty = "Private_Dirty:";
  std::vector<std::uint64_t> found;
  std::uint64_t current = 0;
  while (!smaps.empty()) {
    std::string_view line = smaps.substr(0, smaps.find('\n'));
    smaps.remove_prefix(std::min(smaps.size(), line.size() + 1));
    std::uint64_t start = 0;
    auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), start, 16);
    if (error == std::errc() && end != line.data() + line.size() && *end == '-') {
      current = start;
    } else if (line.starts_with(kDirty)) {
      line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
      if (!line.empty() && line[0] != '0') found.push_back(current);
    }
  }
  return found;
}

std::vector<std::string> signs_in(const std::vector<Mapping>& mappings) {
  std::vector<std::string> signs;
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    const Mapping& mapping = mappings[i];
    if (is_file_code(mapping) && mapping.writable)
      signs.push_back(fmt::format("the code of {} may be written to", mapping.path));
    bool between = i > 0 && i + 1 < mappings.size() && mapping.executable && !mapping.is_file() && mapping.path.empty();
    if (!between) continue;
    const Mapping &before = mappings[i - 1], &after = mappings[i + 1];
    bool same = before.is_file() && before.inode == after.inode && before.device() == after.device();
    if (same && before.end == mapping.start && mapping.end == after.start && (before.executable || after.executable))
      signs.push_back(fmt::format("{} bytes of the code of {} were replaced by memory of no file",
                                  mapping.end - mapping.start, before.path));
  }
  std::vector<std::string> known;
  for (const Mapping& mapping : mappings) {
    bool hooks = std::any_of(std::begin(kHookers), std::end(kHookers), [&](std::string_view part) {
      return file_name(mapping.path).find(part) != std::string_view::npos;
    });
    if (!is_file_code(mapping) || !hooks || std::count(known.begin(), known.end(), mapping.path)) continue;
    known.push_back(mapping.path);
    signs.push_back(fmt::format("{} is loaded, whose name is that of a library that puts hooks into code", mapping.path));
  }
  return signs;
}

std::vector<std::string> preloaded(std::string_view environment) {
  constexpr std::string_view kVariable = "LD_PRELOAD=";
  std::vector<std::string> libraries;
  while (!environment.empty()) {
    std::string_view setting = environment.substr(0, environment.find('\0'));
    environment.remove_prefix(std::min(environment.size(), setting.size() + 1));
    if (!setting.starts_with(kVariable)) continue;
    setting.remove_prefix(kVariable.size());
    while (!setting.empty()) {
      std::string_view one = setting.substr(0, setting.find_first_of(": "));
      setting.remove_prefix(std::min(setting.size(), one.size() + 1));
      if (!one.empty()) libraries.emplace_back(one);
    }
  }
  return libraries;
}

std::vector<std::string> code_signs(pid_t pid, const std::vector<Mapping>& mappings,
                                    const std::vector<std::string>& expected) {
  std::vector<std::string> signs = signs_in(mappings);
  if (std::string tracer = tracer_sign(pid); !tracer.empty()) signs.push_back(std::move(tracer));
  if (Result<std::string> environment = read_file(fmt::format("/proc/{}/environ", living_thread(pid)))) {
    for (const std::string& library : preloaded(*environment)) {
      // A name may be a link to the file that is mapped: "libx.so.2" for "libx.so.2.0.1".
      bool known = std::any_of(expected.begin(), expected.end(), [&](const std::string& path) {
        return file_name(path).starts_with(file_name(library));
      });
      if (!known) signs.push_back(fmt::format("{} is preloaded, and may replace functions", library));
    }
  }
  Result<std::string> smaps = read_file(fmt::format("/proc/{}/smaps", living_thread(pid)));
  if (!smaps) return signs;
  std::vector<std::uint64_t> dirty = dirty_mappings(*smaps);
  for (const Mapping& mapping : mappings) {
    bool written = std::count(dirty.begin(), dirty.end(), mapping.start) != 0;
    if (!is_file_code(mapping) || !written) continue;
    if (std::string sign = sign_of_difference(pid, mapping); !sign.empty()) signs.push_back(std::move(sign));
  }
  return signs;
}

}  // namespace dwell
