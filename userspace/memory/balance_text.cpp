// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/balance_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "ui/escape.h"
#include "ui/sparkline.h"
#include "ui/words.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

using memory::Part;

constexpr std::size_t kMostParts = 4;

bool is_told(const ProcessBalance& balance, const PartChange& change) {
  constexpr double kWorthTelling = 0.02;
  constexpr std::int64_t kFewBytes = 64 << 10;
  if (change.part == Part::kLive && balance.live_change) return true;
  return std::abs(change.bytes) > std::max<double>(kWorthTelling * std::abs(static_cast<double>(balance.change())), kFewBytes);
}

std::string change_text(const PartChange& change) { return fmt::format("{} {}", signed_bytes(static_cast<double>(change.bytes)), name_of(change.part)); }

// What makes up the change: the large parts, live blocks where they were counted, and last what is unexplained, if it is much.
std::string parts_text(const ProcessBalance& balance) {
  std::string text;
  std::size_t told = 0;
  const PartChange* unexplained = nullptr;
  for (const PartChange& change : balance.parts) {
    if (!is_told(balance, change)) continue;
    if (change.part == Part::kUnexplained) unexplained = &change;
    if (change.part == Part::kUnexplained || told == kMostParts) continue;
    text += (told++ ? ", " : "") + change_text(change);
  }
  return unexplained ? text + (told ? ", " : "") + change_text(*unexplained) : text;
}

std::string name_of_limit(const ProcessLimit& limit) {
  switch (limit.kind) {
    case LimitKind::kGroup:
      return fmt::format("the {} of its control group", bytes_text(static_cast<double>(limit.limit)));
    case LimitKind::kGroupHigh:
      return fmt::format("the {} (memory.high) above which its control group is throttled", bytes_text(static_cast<double>(limit.limit)));
    case LimitKind::kAddressSpace:
      return fmt::format("the {} of RLIMIT_AS", bytes_text(static_cast<double>(limit.limit)));
    case LimitKind::kData:
      return fmt::format("the {} of RLIMIT_DATA", bytes_text(static_cast<double>(limit.limit)));
    case LimitKind::kMachine:
      return fmt::format("the {} that the machine has left", bytes_text(static_cast<double>(limit.limit - std::min(limit.limit, limit.in_use))));
  }
  return "";
}

std::string seconds_text(double seconds) { return human_duration(static_cast<std::uint64_t>(seconds) * 1'000'000'000); }

std::string time_left_text(const TimeToLimit& left) {
  return fmt::format("At this rate it reaches {} in {} ({} to {}).", name_of_limit(left.limit), seconds_text(left.seconds),
                     seconds_text(left.soonest), seconds_text(left.latest));
}

std::string key_of(Part part) {  // "live blocks" -> "live_blocks"
  std::string key;
  for (char c : name_of(part)) key += c == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return key;
}

std::string_view key_of_limit(LimitKind kind) {
  constexpr std::string_view kNames[] = {"control_group", "address_space", "data", "machine", "control_group_high"};
  return kNames[static_cast<std::size_t>(kind)];
}

Json limit_json(const ProcessLimit& limit) {
  return {{"kind", key_of_limit(limit.kind)}, {"group", printable(limit.name)},     {"limit_bytes", limit.limit},
          {"in_use_bytes", limit.in_use},     {"high_events", limit.high},          {"max_events", limit.max},
          {"oom_kills", limit.oom_kills}};
}

Json time_left_json(const std::optional<TimeToLimit>& left) {
  if (!left) return nullptr;
  return {{"limit", limit_json(left->limit)}, {"seconds", left->seconds}, {"soonest_seconds", left->soonest}, {"latest_seconds", left->latest}};
}

}  // namespace

std::string balance_sentence(const ProcessBalance& balance, const std::string& of) {
  std::string in = human_duration(balance.duration_ns), after = bytes_text(static_cast<double>(balance.after));
  bool level = is_level(balance);
  std::string text = level ? fmt::format("RSS{} level at {} for {}", of, after, in)
                           : fmt::format("RSS{} {} in {}, to {}", of, signed_bytes(static_cast<double>(balance.change())), in, after);
  if (std::string parts = balance.has_parts ? parts_text(balance) : ""; !parts.empty()) text += ": " + parts;
  if (balance.swapped_after || balance.swapped_before)
    text += fmt::format("; {} in swap", bytes_text(static_cast<double>(balance.swapped_after)));
  constexpr std::uint64_t kWorthTrimming = 1 << 20;
  const std::optional<ProcessAccount>& account = balance.account;
  if (account && account->trimmable >= kWorthTrimming && account->trimmable >= account->resident / 20)
    text += fmt::format("; malloc_trim(0) would give back about {}", bytes_text(static_cast<double>(account->trimmable)));
  return text + ".";
}

std::vector<std::string> balance_notes(const ProcessBalance& balance, const std::string& of) {
  std::vector<std::string> notes;
  if (balance.last_known_ns)
    notes.push_back(fmt::format("The process{} ended: its memory is as it was last seen, {} after the start.", of, human_duration(balance.last_known_ns)));
  else if (!balance.no_parts.empty())
    notes.push_back(fmt::format("What RSS{} consists of is not {}known: {}.", of, balance.has_parts ? "fully " : "", printable(balance.no_parts)));
  constexpr std::int64_t kFewBytes = 64 << 10, kOfAll = 100;
  if (balance.account && balance.account->of(Part::kUnexplained) < -std::max(kFewBytes, static_cast<std::int64_t>(balance.account->resident) / kOfAll))
    notes.push_back(fmt::format("The parts of RSS{} are {} more than the whole: the process went on while they were read.", of,
                                bytes_text(static_cast<double>(-balance.account->of(Part::kUnexplained)))));
  if (balance.early_ns > balance.duration_ns / 5)
    notes.push_back(fmt::format("RSS{} counts from before the probes were set, {} before the recording began.", of, human_duration(balance.early_ns)));
  if (balance.time_left) notes.push_back(time_left_text(*balance.time_left));
  for (const ProcessLimit& limit : balance.limits)
    if (limit.kind == LimitKind::kGroup && limit.oom_kills)
      notes.push_back(fmt::format("The kernel has ended {} of control group {} for want of memory.", counted(limit.oom_kills, "process"), printable(limit.name)));
  for (const ProcessLimit& limit : balance.limits)
    if (limit.kind == LimitKind::kGroupHigh && limit.in_use >= limit.limit)
      notes.push_back(fmt::format("Control group {} uses {}, above its memory.high of {}: the kernel slows it down ({} so far).", printable(limit.name),
                                  bytes_text(static_cast<double>(limit.in_use)), bytes_text(static_cast<double>(limit.limit)), counted(limit.high, "time")));
  return notes;
}

std::string process_curve(const ProcessBalance& balance, const TextStyle& style) {
  constexpr std::size_t kFewest = 4, kWidest = 40, kBeside = 34;
  if (balance.resident.size() < kFewest) return "";
  auto [low, high] = std::minmax_element(balance.resident.begin(), balance.resident.end());
  constexpr double kNoise = 0.005;  // of the whole: less is drawn as level
  double floor = *high - *low < kNoise * *high ? *high : *low;
  std::size_t columns = style.columns ? std::clamp(style.columns, kBeside + 4, kBeside + kWidest) - kBeside : kWidest;
  std::string range = bytes_range(*low, *high);
  return fmt::format("  RSS {}  {}", sparkline(balance.times_ns, balance.resident, balance.times_ns.front(), balance.times_ns.back(), floor, *high, columns), range);
}

Json balance_json(const ProcessBalance& balance) {
  Json parts = Json::object(), account = nullptr, samples = Json::array();
  for (const PartChange& change : balance.parts) parts[key_of(change.part)] = change.bytes;
  if (balance.account) {
    Json at_end = Json::object();
    for (std::size_t i = 0; i < memory::kParts; ++i)
      at_end[key_of(static_cast<Part>(i))] = balance.account->parts[i];
    account = {{"resident_bytes", balance.account->resident}, {"proportional_bytes", balance.account->proportional ? Json(balance.account->proportional) : Json(nullptr)}, {"parts", std::move(at_end)},
               {"allocators", printable(balance.account->allocators)}, {"live_blocks", balance.account->live_blocks},
               {"live_bytes", balance.account->live_bytes}, {"trimmable_bytes", balance.account->trimmable},
               {"pinned_bytes", balance.account->pinned}};
  }
  for (std::size_t i = 0; i < balance.resident.size(); ++i) samples.push_back({balance.times_ns[i], static_cast<std::uint64_t>(balance.resident[i])});
  return {{"process", balance.process},
          {"headline", balance_sentence(balance, "")},
          {"rss_before_bytes", balance.before},
          {"rss_after_bytes", balance.after},
          {"rss_change_bytes", balance.change()},
          {"pss_change_bytes", balance.proportional_change ? Json(*balance.proportional_change) : Json(nullptr)},
          {"level", is_level(balance)},
          {"duration_ns", balance.duration_ns},
          {"ended", balance.last_known_ns != 0},
          {"part_changes", balance.has_parts ? std::move(parts) : Json(nullptr)},
          {"no_parts", balance.no_parts.empty() ? Json(nullptr) : Json(printable(balance.no_parts))},
          {"live_bytes_change", balance.live_change ? Json(*balance.live_change) : Json(nullptr)},
          {"at_end", std::move(account)},
          {"growth", {{"shape", name_of(balance.growth.shape)}, {"level_ns", balance.growth.level_ns}}},
          {"steady_bytes_per_second", balance.trend ? Json{{"slope", balance.trend->per_second}, {"low", balance.trend->low}, {"high", balance.trend->high}} : Json(nullptr)},
          {"limits", list(balance.limits, limit_json)},
          {"time_to_limit", time_left_json(balance.time_left)},
          {"rss_samples", std::move(samples)}};
}

}  // namespace dwell
