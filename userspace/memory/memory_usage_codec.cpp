// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/memory_usage_codec.h"

#include <algorithm>
#include <array>

#include "userspace/recording/bytes.h"

namespace dwell {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 56;  // of a part: sums and differences of parts stay numbers
constexpr const char* kNoSuchProcess = "it names a process that was not told before";

// Whole pages: what the kernel counts in.
constexpr std::array kSampleColumns = {&MemorySample::anonymous, &MemorySample::file,          &MemorySample::shared,
                                       &MemorySample::swapped,   &MemorySample::address_space, &MemorySample::data,
                                       &MemorySample::group,     &MemorySample::available};

MemoryUsage* memory_of_process(Recording& recording, std::uint64_t slot) {
  if (slot >= recording.processes.size()) return nullptr;
  std::vector<MemoryUsage>& all = memory_of(recording).processes;
  if (all.size() <= slot) {
    if (!DecodeBudget::take(slot + 1 - all.size(), sizeof(MemoryUsage))) return nullptr;
    all.resize(slot + 1);
  }
  return &all[slot];
}

}  // namespace

std::string encode_samples(ProcessSlot process, std::span<const MemorySample> samples) {
  std::string out;
  put_uleb(out, process);
  put_uleb(out, samples.size());
  std::uint64_t before = 0;
  for (const MemorySample& sample : samples) {
    put_uleb(out, sample.time_ns - before);
    before = sample.time_ns;
  }
  for (auto column : kSampleColumns) {
    before = 0;
    for (const MemorySample& sample : samples) {
      put_difference(out, sample.*column / kPage - before);
      before = sample.*column / kPage;
    }
  }
  return out;
}

std::string decode_samples(Cursor& in, Recording& out) {
  MemoryUsage* process = memory_of_process(out, in.uleb());
  if (!process) return kNoSuchProcess;
  std::vector<MemorySample>& all = process->samples;
  std::size_t first = all.size(), count = get_count<MemorySample>(in);
  all.resize(first + count);
  std::span<MemorySample> samples = std::span(all).subspan(first);
  std::uint64_t time_ns = 0, last_ns = first ? all[first - 1].time_ns : 0;
  for (MemorySample& sample : samples) {
    std::uint64_t step = in.uleb();
    if (step > ~std::uint64_t{0} - time_ns || time_ns + step < last_ns) return "its times go backwards";
    sample.time_ns = last_ns = time_ns += step;
  }
  for (auto column : kSampleColumns) {
    std::uint64_t pages = 0;
    for (MemorySample& sample : samples) {
      pages += get_difference(in);
      if (pages > ~std::uint64_t{0} / kPage / 4) return "it tells an impossible size";
      sample.*column = pages * kPage;
    }
  }
  return in.ok() ? "" : kTooShort;
}

std::string encode_account(ProcessSlot process, AccountMoment moment, const ProcessAccount& account) {
  std::string out;
  put_uleb(out, process);
  put_uleb(out, static_cast<std::uint64_t>(moment));
  put_uleb(out, account.time_ns);
  put_uleb(out, account.duration_ns);
  put_uleb(out, (account.known ? 1 : 0) + (account.walked ? 2 : 0));
  put_text(out, account.why);
  put_text(out, account.allocators);
  for (std::uint64_t value : {account.resident, account.swapped, account.huge, account.live_blocks, account.live_bytes,
                              account.trimmable, account.pinned, account.lost})
    put_uleb(out, value);
  put_uleb(out, memory::kParts);
  for (std::size_t i = 0; i < memory::kParts; ++i) {
    put_text(out, name_of(static_cast<memory::Part>(i)));
    put_difference(out, static_cast<std::uint64_t>(account.parts[i]));
  }
  put_uleb(out, account.proportional);
  return out;
}

std::string decode_account(Cursor& in, Recording& out) {
  MemoryUsage* process = memory_of_process(out, in.uleb());
  if (!process) return kNoSuchProcess;
  std::uint64_t moment = in.uleb();
  if (moment > static_cast<std::uint64_t>(AccountMoment::kLast)) return "it is of no known moment";
  ProcessAccount account;
  account.time_ns = in.uleb();
  account.duration_ns = in.uleb();
  std::uint64_t flags = in.uleb();
  account.known = flags & 1;
  account.walked = flags & 2;
  account.why = get_text(in);
  account.allocators = get_text(in);
  for (std::uint64_t* value : {&account.resident, &account.swapped, &account.huge, &account.live_blocks, &account.live_bytes,
                               &account.trimmable, &account.pinned, &account.lost})
    *value = in.uleb();
  // A part that this dwell does not know is memory that it can't explain.
  for (std::uint64_t left = in.uleb(); left > 0 && in.ok(); --left) {
    memory::Part part = memory::part_named(get_text(in)).value_or(memory::Part::kUnexplained);
    std::uint64_t sum = static_cast<std::uint64_t>(account.of(part)) + get_difference(in);
    account.parts[static_cast<std::size_t>(part)] = static_cast<std::int64_t>(sum);
    if (account.of(part) > kMostBytes || account.of(part) < -kMostBytes) return "it tells an impossible size";
  }
  if (in.ok() && !in.at_end()) account.proportional = in.uleb();
  if (!in.ok()) return kTooShort;
  (moment == 0 ? process->first : process->last) = std::move(account);
  return "";
}

namespace {

// Kinds that readers of the first version refuse stand in a list behind theirs.
constexpr bool is_of_first_version(const ProcessLimit& limit) { return limit.kind <= LimitKind::kMachine; }

void put_limits(std::string& out, std::span<const ProcessLimit> limits, bool of_first_version) {
  auto of_list = [=](const ProcessLimit& limit) { return is_of_first_version(limit) == of_first_version; };
  put_uleb(out, static_cast<std::uint64_t>(std::ranges::count_if(limits, of_list)));
  for (const ProcessLimit& limit : limits) {
    if (!of_list(limit)) continue;
    put_uleb(out, static_cast<std::uint64_t>(limit.kind));
    put_text(out, limit.name);
    for (std::uint64_t value : {limit.limit, limit.in_use, limit.high, limit.max, limit.oom_kills}) put_uleb(out, value);
  }
}

std::string get_limits(Cursor& in, std::vector<ProcessLimit>& limits) {
  std::size_t first = limits.size();
  limits.resize(first + get_count<ProcessLimit>(in));
  for (ProcessLimit& limit : std::span(limits).subspan(first)) {
    std::uint64_t kind = in.uleb();
    if (kind >= kLimitKinds) return "it is of no known kind of limit";
    limit.kind = static_cast<LimitKind>(kind);
    limit.name = get_text(in);
    for (std::uint64_t* value : {&limit.limit, &limit.in_use, &limit.high, &limit.max, &limit.oom_kills}) *value = in.uleb();
  }
  return in.ok() ? "" : kTooShort;
}

}  // namespace

std::string encode_limits(ProcessSlot process, std::span<const ProcessLimit> limits) {
  std::string out;
  put_uleb(out, process);
  put_limits(out, limits, true);
  put_limits(out, limits, false);
  return out;
}

std::string decode_limits(Cursor& in, Recording& out) {
  MemoryUsage* process = memory_of_process(out, in.uleb());
  if (!process) return kNoSuchProcess;
  std::vector<ProcessLimit> limits;
  std::string wrong = get_limits(in, limits);
  if (wrong.empty() && in.remaining()) wrong = get_limits(in, limits);
  if (!wrong.empty()) return wrong;
  process->limits = std::move(limits);
  return "";
}

}  // namespace dwell
