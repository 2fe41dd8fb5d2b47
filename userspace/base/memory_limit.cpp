// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/memory_limit.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <new>
#include <string_view>

#include "userspace/base/files.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
constexpr std::uint64_t kLeast = std::uint64_t{256} << 20;  // below that, nothing useful could be done

constexpr std::uint64_t kReserve = 8;  // an eighth of the limit is the reserve

std::uint64_t limit = kNoLimit;
std::atomic<bool> ran_out = false;

bool set_data_limit(std::uint64_t bytes) {
  rlimit now{};
  if (::getrlimit(RLIMIT_DATA, &now) != 0) return false;
  now.rlim_cur = bytes;
  return ::setrlimit(RLIMIT_DATA, &now) == 0;
}

// Called by operator new when an allocation has failed: it tries again when we return.
void grant_reserve() {
  std::set_new_handler(nullptr);
  ran_out = true;
  set_data_limit(limit);
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  text = text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end != text.data() ? std::optional(value) : std::nullopt;
}

// The line "NAME:   12345 kB".
std::optional<std::uint64_t> field_bytes(const std::string& file, std::string_view name) {
  Result<std::string> text = read_file(file);
  if (!text) return std::nullopt;
  for (std::string_view line : split(*text, '\n')) {
    if (!line.starts_with(name)) continue;
    std::optional<std::uint64_t> kilobytes = number_in(line.substr(name.size()));
    return kilobytes ? std::optional(*kilobytes * 1024) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_of_file(const std::string& path) {
  Result<std::string> text = read_file(path);
  return text ? number_in(*text) : std::nullopt;  // "max" is no number
}

struct CgroupFiles {
  std::string root;
  const char *most, *used;
};

// A limit anywhere above us is one for us.
std::uint64_t left_in(const CgroupFiles& files, std::string path) {
  std::uint64_t left = kNoLimit;
  if (path.find("/..") != path.npos) path.clear();  // outside of our cgroup namespace: its root is what we can see
  for (;;) {
    std::string folder = files.root + path;
    std::optional<std::uint64_t> most = number_of_file(folder + files.most), used = number_of_file(folder + files.used);
    if (most && used) left = std::min(left, *most - std::min(*most, *used));
    if (path.empty()) return left;
    path.resize(path.rfind('/'));
  }
}

// Version 2 has one line, "0::/path"; version 1 one for each controller, "4:memory:/path".
std::uint64_t left_in_cgroups() {
  Result<std::string> of_self = read_file("/proc/self/cgroup");
  if (!of_self) return kNoLimit;
  std::uint64_t left = kNoLimit;
  for (std::string_view line : split(*of_self, '\n')) {
    std::vector<std::string_view> fields = split(line, ':');
    if (fields.size() != 3 || !fields[2].starts_with('/')) continue;
    std::string path(fields[2] == "/" ? "" : fields[2]);
    if (fields[1].empty()) left = std::min(left, left_in({"/sys/fs/cgroup", "/memory.max", "/memory.current"}, path));
    if (fields[1] == "memory")
      left = std::min(left, left_in({"/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes"}, path));
  }
  return left;
}

}  // namespace

std::uint64_t free_memory() {
  return std::min(field_bytes("/proc/meminfo", "MemAvailable:").value_or(kNoLimit), left_in_cgroups());
}

std::uint64_t memory_limit() { return limit; }

void choose_memory_limit(std::optional<std::uint64_t> asked, double share) {
  std::uint64_t free = free_memory();
  if (asked) {
    limit = std::max(*asked, kLeast);
  } else if (free != kNoLimit) {
    limit = std::max(static_cast<std::uint64_t>(static_cast<double>(free) * share), kLeast);
  }
}

void keep_memory_limit() {
  rlimit now{};
  if (limit == kNoLimit || ::getrlimit(RLIMIT_DATA, &now) != 0) return;
  limit = std::min<std::uint64_t>(limit, now.rlim_cur);  // never above what somebody else has set
  if (set_data_limit(limit - limit / kReserve)) std::set_new_handler(grant_reserve);
}

bool out_of_memory() { return ran_out.load(); }

std::uint64_t memory_in_use() { return field_bytes("/proc/self/status", "RssAnon:").value_or(0); }

Error no_memory(const std::string& doing) {
  return {fmt::format("{}: it takes more memory than dwell may use, {}", doing,
                      limit == kNoLimit ? "and the machine has no more" : human_bytes(static_cast<double>(limit))),
          "let it use more: --max-memory SIZE", kExitNoMemory};
}

}  // namespace dwell
