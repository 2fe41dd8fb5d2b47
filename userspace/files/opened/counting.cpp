// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/counting.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"

namespace dwell::files {
namespace {

constexpr std::uint64_t kSoonestNs = 200 * kMillisecond, kCountsAnAge = 100;

// Linux 6.2 and newer tell it as the folder's size.
std::optional<std::uint64_t> count_of(pid_t pid) {
  std::string folder = fmt::format("/proc/{}/fd", pid);
  struct stat status;
  if (::stat(folder.c_str(), &status) != 0) return std::nullopt;
  if (status.st_size > 0) return static_cast<std::uint64_t>(status.st_size);
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) ++count;
  return error ? std::nullopt : std::optional(count);
}

std::optional<DescriptorCount> count_by_kind(pid_t pid) {
  Result<OpenFiles> open = read_open_files(pid);
  if (!open) return std::nullopt;
  std::map<FileKind, std::uint64_t> kinds;
  for (const OpenFile& file : open->files) ++kinds[file.kind];
  return DescriptorCount{0, 0, open->files.size(), {kinds.begin(), kinds.end()}};
}

}  // namespace

Result<void> DescriptorCounting::added(ProcessSlot process, const ProcessFacts& facts) {
  pids_.insert_or_assign(process, facts.pid);
  return {};
}

void DescriptorCounting::begin(std::uint64_t start_ns) {
  began_ns_ = start_ns;
  count_all(monotonic_ns(), true);
}

void DescriptorCounting::before_last_records() { count_all(monotonic_ns(), true); }

Result<void> DescriptorCounting::require_probes(const ProcessFacts& facts) {
  return Error{fmt::format("trace PID {}: nothing but its descriptors can be counted", facts.pid), "dwell record --files", Exit::kUnsupported};
}

void DescriptorCounting::on_process_event(const ProcessNews& news) {
  if (news.kind == ProcessNews::Kind::kExited) pids_.erase(news.process);
}

void DescriptorCounting::count_all(std::uint64_t now_ns, bool kinds) {
  for (const auto& [process, pid] : pids_) {
    std::optional<DescriptorCount> one = kinds ? count_by_kind(pid) : std::nullopt;
    if (std::optional<std::uint64_t> open = one ? one->open : count_of(pid); open)
      counts_.push_back({now_ns, process, *open, one ? std::move(one->kinds) : decltype(one->kinds)()});
  }
  next_ns_ = now_ns + std::max(kSoonestNs, (now_ns - std::min(began_ns_, now_ns)) / kCountsAnAge);
}

Result<void> DescriptorCounting::poll(std::uint64_t now_ns) {
  if (began_ns_ && now_ns >= next_ns_) count_all(now_ns, false);
  return {};
}

Result<void> DescriptorCounting::write_tick(std::uint64_t) {
  if (counts_.empty()) return {};
  for (const DescriptorCount& one : counts_) context_.writer.know_process(one.process);
  Result<void> written = context_.writer.append(kChunkDescriptorCounts, encode_descriptor_counts(counts_));
  counts_.clear();
  return written;
}

}  // namespace dwell::files
