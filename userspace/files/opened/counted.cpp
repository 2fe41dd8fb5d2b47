// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/counted.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "ui/escape.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/files/part.h"
#include "userspace/recording/bytes.h"
#include "userspace/views/trend.h"

namespace dwell::files {
namespace {

constexpr std::uint64_t kFewestMore = 10;

using Counts = std::vector<const DescriptorCount*>;

// " (339 of kind socket)": what most of the growth is.
std::string mostly(const DescriptorCount& first, const DescriptorCount& last, std::uint64_t more) {
  std::string text;
  for (const auto& [kind, count] : last.kinds) {
    auto before = std::ranges::find(first.kinds, kind, &std::pair<FileKind, std::uint64_t>::first);
    std::uint64_t had = before == first.kinds.end() ? 0 : before->second;
    if (count > had && 2 * (count - had) > more) text = fmt::format(" ({} of kind {})", grouped(static_cast<std::int64_t>(count - had)), name_of(kind));
  }
  return text;
}

std::optional<std::string> sentence_of(const Counts& counts, const Recording& recording, bool names_process) {
  const DescriptorCount &first = *counts.front(), &last = *counts.back();
  if (last.open < first.open + kFewestMore) return std::nullopt;
  std::vector<std::uint64_t> times_ns;
  std::vector<double> open;
  for (const DescriptorCount* one : counts) times_ns.push_back(one->time_ns), open.push_back(static_cast<double>(one->open));
  std::optional<SteadyTrend> trend = steady_trend(times_ns, open);
  if (!trend) return std::nullopt;
  std::uint64_t more = last.open - first.open;
  const ProcessInfo& process = recording.processes[first.process];
  std::string of = names_process ? fmt::format(" of {} ({})", printable(process.name), process.pid) : "";
  return fmt::format("Open descriptors{} grow steadily: {}, which is {} more than {} before{}, or {} a minute. dwell record --files tells who opens them.", of,
                     grouped(static_cast<std::int64_t>(last.open)), grouped(static_cast<std::int64_t>(more)), human_duration(last.time_ns - first.time_ns),
                     mostly(first, last, more), count_text(std::round(trend->per_second * 60)));
}

std::map<ProcessSlot, Counts> counts_by_process(const Recording& recording) {
  std::map<ProcessSlot, Counts> by_process;
  for (const DescriptorCount& one : files_of(recording).counts) by_process[one.process].push_back(&one);
  return by_process;
}

// {"file": [12, 14]}: at the start, and at the end.
Json kinds_json(const DescriptorCount& first, const DescriptorCount& last) {
  Json kinds = Json::object();
  auto add = [&](const DescriptorCount& count, std::size_t at) {
    for (const auto& [kind, open] : count.kinds) {
      Json& both = kinds[std::string(name_of(kind))];
      if (both.is_null()) both = {0, 0};
      both[at] = open;
    }
  };
  add(first, 0);
  add(last, 1);
  return kinds;
}

}  // namespace

std::string encode_descriptor_counts(const std::vector<DescriptorCount>& counts) {
  std::string out;
  put_uleb(out, counts.size());
  for (const DescriptorCount& one : counts) {
    for (std::uint64_t value : {one.time_ns, std::uint64_t{one.process}, one.open, std::uint64_t{one.kinds.size()}}) put_uleb(out, value);
    for (const auto& [kind, count] : one.kinds) {
      put_uleb(out, static_cast<std::uint64_t>(kind));
      put_uleb(out, count);
    }
  }
  return out;
}

std::string decode_descriptor_counts(Cursor& in, Recording& out) {
  constexpr auto kKinds = static_cast<std::uint64_t>(FileKind::kKinds);
  for (std::size_t left = get_count<DescriptorCount>(in); left > 0; --left) {
    DescriptorCount one;
    one.time_ns = in.uleb();
    std::uint64_t process = in.uleb();
    one.open = in.uleb();
    for (std::size_t kinds = get_count<std::pair<FileKind, std::uint64_t>>(in); kinds > 0; --kinds) {
      std::uint64_t kind = in.uleb(), count = in.uleb();
      one.kinds.emplace_back(kind < kKinds ? static_cast<FileKind>(kind) : FileKind::kOther, count);
    }
    if (in.ok() && process >= out.processes.size()) return fmt::format("process {} of {}", process, out.processes.size());
    one.process = static_cast<ProcessSlot>(process);
    if (in.ok()) files_of(out).counts.push_back(std::move(one));
  }
  return in.ok() ? "" : kTooShort;
}

std::vector<std::string> growth_sentences(const Recording& recording) {
  std::vector<std::string> sentences;
  for (const auto& [process, counts] : counts_by_process(recording))
    if (std::optional<std::string> sentence = sentence_of(counts, recording, recording.processes.size() > 1)) sentences.push_back(std::move(*sentence));
  return sentences;
}

Json descriptor_counts_json(const Recording& recording) {
  Json all = Json::array();
  for (const auto& [process, counts] : counts_by_process(recording)) {
    Json samples = Json::array();
    for (const DescriptorCount* one : counts) samples.push_back({one->time_ns, one->open});
    std::optional<std::string> sentence = sentence_of(counts, recording, recording.processes.size() > 1);
    all.push_back({{"process", process}, {"samples", std::move(samples)}, {"kinds", kinds_json(*counts.front(), *counts.back())},
                   {"growth", sentence ? Json(printable(*sentence)) : Json(nullptr)}});
  }
  return all;
}

}  // namespace dwell::files
