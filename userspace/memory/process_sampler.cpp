// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/process_sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"
#include "userspace/base/time_units.h"
#include "userspace/memory/account/look.h"
#include "userspace/process/process.h"
#include "userspace/process/resource_limits.h"

namespace dwell {
namespace {

// Each page of it may be asked for: sanitizers reserve terabytes.
constexpr std::uint64_t kMostWritable = std::uint64_t{64} << 30;
constexpr std::uint64_t kSoonestNs = 50 * kMillisecond, kUsualNs = 250 * kMillisecond;
constexpr std::uint64_t kSamplesAnAge = 240;

std::uint64_t kilobytes_in(std::string_view value) {
  std::uint64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number * 1024;
}

std::string memory_file(pid_t pid, const char* name) { return fmt::format("/proc/{}/{}", living_thread(pid), name); }

}  // namespace

std::optional<MemorySample> sample_in(std::string_view status) {
  std::optional<MemorySample> sample;
  for (std::string_view line : split(status, '\n')) {
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || (line[0] != 'V' && line[0] != 'R')) continue;
    std::string_view name = line.substr(0, colon), value = line.substr(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
    if (name == "VmSize") sample.emplace();
    if (!sample) continue;
    if (name == "VmSize") sample->address_space = kilobytes_in(value);
    if (name == "VmData") sample->data = kilobytes_in(value);
    if (name == "VmSwap") sample->swapped = kilobytes_in(value);
    if (name == "RssAnon") sample->anonymous = kilobytes_in(value);
    if (name == "RssFile") sample->file = kilobytes_in(value);
    if (name == "RssShmem") sample->shared = kilobytes_in(value);
  }
  return sample;
}

std::optional<MemorySample> read_memory_sample(pid_t pid) {
  Result<std::string> status = read_file(memory_file(pid, "status"));
  return status ? sample_in(*status) : std::nullopt;
}

std::uint64_t available_in(std::string_view meminfo) {
  constexpr std::string_view kName = "MemAvailable:";
  for (std::string_view line : split(meminfo, '\n'))
    if (line.starts_with(kName)) return kilobytes_in(line.substr(std::min(line.find_first_not_of(' ', kName.size()), line.size())));
  return 0;
}

ProcessAccount account_of(const memory::MemoryLook& look) {
  ProcessAccount account;
  account.known = true;
  account.walked = !look.heaps.empty();
  if (!look.unread_allocator.empty())
    account.why = fmt::format("the heap of {} could not be read", look.unread_allocator);
  account.duration_ns = look.duration_ns;
  account.resident = look.account.resident;
  account.swapped = look.account.swapped;
  account.huge = look.account.huge;
  for (std::size_t i = 0; i < memory::kParts; ++i) account.parts[i] = look.account.parts[i].resident;
  for (const memory::HeapLook& heap : look.heaps) {
    account.allocators += (account.allocators.empty() ? "" : ", ") + heap.name;
    account.live_blocks += heap.inventory.live().blocks;
    account.live_bytes += heap.inventory.live().bytes;
    account.trimmable += heap.inventory.trimmable;
    account.pinned += heap.inventory.pinned_bytes;
    account.lost += heap.quality.lost_bytes;
  }
  return account;
}

std::uint64_t sample_pause_ns(std::uint64_t age_ns, std::uint64_t sampling_took_ns) {
  std::uint64_t pause = std::clamp(age_ns / 4, kSoonestNs, kUsualNs);
  return std::max({pause, age_ns / kSamplesAnAge, 100 * sampling_took_ns});
}

ProcessSampler::ProcessSampler(pid_t pid) : pid_(pid) {
  if (Result<std::string> cgroup = read_file(fmt::format("/proc/{}/cgroup", pid))) group_ = group_in(*cgroup);
  std::vector<MemoryLimit> limits = memory_limits(pid);
  if (!limits.empty()) group_.path = limits[0].group;
}

std::optional<MemorySample> ProcessSampler::sample(std::uint64_t now_ns) {
  std::optional<MemorySample> sample = read_memory_sample(pid_);
  if (!sample) return std::nullopt;
  sample->time_ns = now_ns;
  sample->group = group_memory(group_).value_or(0);
  if (Result<std::string> meminfo = read_file("/proc/meminfo")) sample->available = available_in(*meminfo);
  return sample;
}

std::uint64_t proportional_in(std::string_view rollup) {
  std::string value = status_field(rollup, "Pss");
  std::uint64_t kilobytes = 0;
  std::from_chars(value.data(), value.data() + value.size(), kilobytes);
  return kilobytes << 10;
}

std::vector<ProcessLimit> ProcessSampler::limits() const {
  std::vector<ProcessLimit> limits;
  for (const MemoryLimit& group : memory_limits(pid_))
    limits.push_back({group.throttles() ? LimitKind::kGroupHigh : LimitKind::kGroup, group.group, group.limit, group.in_use, group.high,
                      group.max, group.oom_kills});
  Result<std::string> own = read_file(memory_file(pid_, "limits"));
  std::optional<MemorySample> sample = read_memory_sample(pid_);
  if (!own || !sample) return limits;
  if (std::optional<std::uint64_t> most = soft_limit_in(*own, "Max address space"))
    limits.push_back({LimitKind::kAddressSpace, "", *most, sample->address_space, 0, 0, 0});
  if (std::optional<std::uint64_t> most = soft_limit_in(*own, "Max data size"))
    limits.push_back({LimitKind::kData, "", *most, sample->data, 0, 0, 0});
  if (Result<std::string> meminfo = read_file("/proc/meminfo"))
    limits.push_back({LimitKind::kMachine, "", sample->resident() + available_in(*meminfo), sample->resident(), 0, 0, 0});
  return limits;
}

std::string why_not_walked(const MemorySample& sample, std::uint64_t most_walked) {
  if (sample.data > kMostWritable)
    return "it has mapped more than 64 GB of writable memory, in which no heap is looked for while recording";
  if (sample.anonymous <= most_walked) return "";
  return fmt::format("more than {} of anonymous memory is not walked while recording; dwell memory does", human_bytes(static_cast<double>(most_walked)));
}

ProcessAccount ProcessSampler::account(std::uint64_t now_ns, memory::OwnedMemory* owned, std::uint64_t most_walked) const {
  memory::LookOptions options;
  options.pid = pid_;
  std::optional<MemorySample> sample = read_memory_sample(pid_);
  std::string why = sample ? why_not_walked(*sample, most_walked) : "";
  options.walk = sample && why.empty();
  Result<memory::MemoryLook> look = memory::look_at_memory(options);
  ProcessAccount account = look ? account_of(*look) : ProcessAccount();
  if (!look) account.why = look.error().what;
  if (look && !why.empty()) account.why = why;
  account.time_ns = now_ns;
  if (Result<std::string> rollup = read_file(memory_file(pid_, "smaps_rollup"))) account.proportional = proportional_in(*rollup);
  if (owned) *owned = look ? std::move(look->owned) : memory::OwnedMemory();
  return account;
}

}  // namespace dwell
