// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/perf_map.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxMap = std::size_t{256} << 20;
constexpr std::size_t kMaxName = 4096;

// Calls `line` for each line without its newline. No copy: maps have millions of lines.
template <typename Function>
void for_each_line(std::string_view text, Function line) {
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::optional<std::uint64_t> take_hex(std::string_view& line) {
  if (line.starts_with("0x")) line.remove_prefix(2);
  std::uint64_t value = 0;
  std::from_chars_result parsed = std::from_chars(line.data(), line.data() + line.size(), value, 16);
  if (parsed.ec != std::errc()) return std::nullopt;
  line.remove_prefix(parsed.ptr - line.data());
  if (line.empty() || line.front() != ' ') return std::nullopt;
  line.remove_prefix(1);
  return value;
}

// The last number of "NSpid:  812  7": the process's number in its own namespace.
pid_t inner_pid(pid_t pid) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid));
  if (!status) return pid;
  pid_t inner = pid;
  for_each_line(*status, [&](std::string_view line) {
    if (!line.starts_with("NSpid:")) return;
    std::size_t last = line.find_last_of(" \t");
    std::from_chars(line.data() + last + 1, line.data() + line.size(), inner);
  });
  return inner;
}

// When the process has ended, what it left here, if it ran in no container.
std::string perf_map_path(pid_t pid) {
  std::string root = fmt::format("/proc/{}/root", pid);
  if (::access(root.c_str(), F_OK) != 0) return fmt::format("/tmp/perf-{}.map", pid);
  return fmt::format("{}/tmp/perf-{}.map", root, inner_pid(pid));
}

// A file in a folder where everybody may write: nothing but a regular file is read, and no link is followed.
Result<std::string> read_regular_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return system_error("open " + path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error{"read " + path + ": not a regular file", "", Exit::kBadInput};
  return read_file(fmt::format("/proc/self/fd/{}", fd.get()), kMaxMap);
}

}  // namespace

void AddressMap::add(std::uint64_t start, std::uint64_t end, std::string_view name) {
  if (end <= start) return;
  auto at = entries_.lower_bound(start);
  if (at != entries_.begin()) {
    auto before = std::prev(at);
    if (before->second.end > start) {
      // What sticks out behind the new entry stays as it was.
      if (before->second.end > end) entries_.emplace(end, before->second);
      before->second.end = start;
    }
  }
  while (at != entries_.end() && at->first < end) {
    if (at->second.end > end) {
      entries_.emplace(end, std::move(at->second));
    }
    at = entries_.erase(at);
  }
  entries_.insert_or_assign(start, Entry{end, std::string(name.substr(0, kMaxName))});
}

const AddressMap::Entry* AddressMap::find(std::uint64_t address) const {
  auto next = entries_.upper_bound(address);
  if (next == entries_.begin()) return nullptr;
  const Entry& entry = std::prev(next)->second;
  return address < entry.end ? &entry : nullptr;
}

AddressMap parse_perf_map(std::string_view text, std::size_t* skipped) {
  AddressMap map;
  for_each_line(text, [&](std::string_view line) {
    std::optional<std::uint64_t> start = take_hex(line);
    std::optional<std::uint64_t> size = start ? take_hex(line) : std::nullopt;
    if (size && *size != 0 && !line.empty() && *start + *size > *start) {
      map.add(*start, *start + *size, line);
    } else if (skipped) {
      ++*skipped;
    }
  });
  return map;
}

std::uint64_t perf_map_version(pid_t pid) {
  struct stat status {};
  if (::lstat(perf_map_path(pid).c_str(), &status) != 0) return 0;
  std::uint64_t time = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                       static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  return time ^ static_cast<std::uint64_t>(status.st_size) << 1 ^ static_cast<std::uint64_t>(status.st_ino) << 40 ^ 1;
}

Result<AddressMap> read_perf_map(pid_t pid) {
  Result<std::string> text = read_regular_file(perf_map_path(pid));
  if (!text) return text.error();
  return parse_perf_map(*text);
}

AddressMap parse_kallsyms(std::string_view text) {
  struct Line {
    std::uint64_t address;
    std::string_view name, module;
  };
  std::vector<Line> lines;
  for_each_line(text, [&](std::string_view line) {
    std::optional<std::uint64_t> address = take_hex(line);
    if (!address || *address == 0 || line.size() < 3 || !std::strchr("tTwW", line[0]) || line[1] != ' ') return;
    line.remove_prefix(2);
    std::size_t tab = std::min(line.find('\t'), line.size());
    lines.push_back({*address, line.substr(0, tab), line.substr(std::min(tab + 1, line.size()))});
  });
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.address < b.address; });
  AddressMap map;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::size_t next = i + 1;
    while (next < lines.size() && lines[next].address == lines[i].address) ++next;
    std::uint64_t end = next < lines.size() ? lines[next].address : lines[i].address + 4096;
    std::string name(lines[i].name);
    if (!lines[i].module.empty()) name += " " + std::string(lines[i].module);
    map.add(lines[i].address, end, name);
    i = next - 1;
  }
  return map;
}

Result<AddressMap> read_kallsyms() {
  Result<std::string> text = read_file("/proc/kallsyms", kMaxMap);
  if (!text) return text.error();
  AddressMap map = parse_kallsyms(*text);
  if (map.size() == 0) {
    return Error{"read /proc/kallsyms: the kernel hides its addresses",
                 "run as root, or set sysctl kernel.kptr_restrict=0", Exit::kNotPermitted};
  }
  return map;
}

}  // namespace dwell
