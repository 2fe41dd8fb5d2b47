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
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxMap = std::size_t{128} << 20;
constexpr std::size_t kLongestPerfMapName = 4096;

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

// The value of a line of /proc/PID/status: its last number, or its second.
template <typename T>
std::optional<T> number_in(const std::string& status, std::string_view label, bool last) {
  std::optional<T> result;
  for_each_line(status, [&](std::string_view line) {
    if (!line.starts_with(label)) return;
    std::vector<std::string_view> words = split(line.substr(label.size()), '\t');
    std::erase_if(words, [](std::string_view word) { return word.empty(); });
    if (words.size() < 2 && !last) return;
    if (words.empty()) return;
    std::string_view word = last ? words.back() : words[1];
    T value = 0;
    if (std::from_chars(word.data(), word.data() + word.size(), value).ec == std::errc()) result = value;
  });
  return result;
}

struct PerfMapPlace {
  std::string path;
  uid_t owner;
};

// In its own mount namespace, under its number in its own PID namespace ("NSpid:  812  7"), of its effective user
// ("Uid: real effective ..."). When the process has ended, what it left here, if it ran in no container.
PerfMapPlace place_of_perf_map(pid_t pid, uid_t owner) {
  if (owner == kSameAsOurs) owner = ::geteuid();
  std::string root = fmt::format("/proc/{}/root", living_thread(pid));
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid));
  if (!status || ::access(root.c_str(), F_OK) != 0) return {fmt::format("/tmp/perf-{}.map", pid), owner};
  pid_t inner = number_in<pid_t>(*status, "NSpid:", true).value_or(pid);
  return {fmt::format("{}/tmp/perf-{}.map", root, inner), number_in<uid_t>(*status, "Uid:", false).value_or(owner)};
}

Result<std::string> read_whole(const RegularFile& file, const std::string& name) {
  if (file.size > kMaxMap)
    return Error{fmt::format("read {}: longer than the {} bytes that are expected at most", name, kMaxMap), "",
                 Exit::kBadInput};
  std::string content;
  std::string piece(std::size_t{64} << 10, '\0');
  while (content.size() <= kMaxMap) {
    ssize_t n = ::read(file.fd.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read " + name, errno);
    if (n == 0) return content;
    content.append(piece, 0, static_cast<std::size_t>(n));
  }
  return Error{fmt::format("read {}: it grew while it was read", name), "", Exit::kBadInput};
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
  entries_.insert_or_assign(start, Entry{end, std::string(name.substr(0, kLongestPerfMapName))});
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

Result<RegularFile> open_perf_map(pid_t pid, uid_t owner) {
  if (file_opener()) return file_opener()({FileFormat::kPerfMap, "", "", pid, owner});
  PerfMapPlace place = place_of_perf_map(pid, owner);
  return open_owned_regular(place.path, place.owner);
}

Result<RegularFile> open_kallsyms() {
  if (file_opener()) return file_opener()({FileFormat::kKernelSymbols, "", ""});
  RegularFile file;
  file.fd.reset(::open("/proc/kallsyms", O_RDONLY | O_CLOEXEC));
  if (!file.fd.valid()) return system_error("open /proc/kallsyms", errno);
  return file;
}

std::uint64_t perf_map_version(pid_t pid, uid_t owner) {
  Result<RegularFile> file = open_perf_map(pid, owner);
  return file ? file->version : 0;
}

Result<AddressMap> read_perf_map(pid_t pid, uid_t owner, std::size_t* skipped) {
  Result<RegularFile> file = open_perf_map(pid, owner);
  if (!file) return file.error();
  Result<std::string> text = read_whole(*file, fmt::format("the perf map of PID {}", pid));
  if (!text) return text.error();
  return parse_perf_map(*text, skipped);
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
  Result<RegularFile> file = open_kallsyms();
  if (!file) return file.error();
  Result<std::string> text = read_whole(*file, "/proc/kallsyms");
  if (!text) return text.error();
  AddressMap map = parse_kallsyms(*text);
  if (map.size() == 0) {
    return Error{"read /proc/kallsyms: the kernel hides its addresses",
                 "run as root, or set sysctl kernel.kptr_restrict=0", Exit::kNotPermitted};
  }
  return map;
}

}  // namespace dwell
