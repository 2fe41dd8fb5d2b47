// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/locks/text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

constexpr std::size_t kMostHolders = 6, kMostLockFrames = 64, kMostAddresses = 10;

std::string times_text(std::uint64_t times) { return grouped(static_cast<std::int64_t>(times)); }

// Without the functions of the lock itself, which own_part() leaves where they are no part of the C library.
std::string place_text(const ReportStack& stack, std::size_t room) { return call_site_line(own_part(stack), room); }

std::string holder_text(const LockHolder& holder, std::size_t room) {
  if (holder.end == LockWaitEnd::kReleased) return place_text(holder.stack, room);
  return holder.end == LockWaitEnd::kOutside ? "another process" : "not seen: a timeout, a signal, or a release that woke nobody";
}

std::string rows_table(const LockReport& report, std::size_t rows, const TextStyle& style) {
  TextTable table({{"#", 0}, {"waited", 0}, {"waits", 0}, {"longest", 1}, {"lock", 0}, {"waits at", 0}});
  std::size_t room = table.last_column_width(style);
  for (std::size_t i = 0; i < rows; ++i) {
    const LockRow& row = report.rows[i];
    table.add({{fmt::format("{}", i + 1)},
               {human_duration(row.ns)},
               {times_text(row.times)},
               {human_duration(row.longest_ns)},
               {printable(lock_words(row))},
               {place_text(row.stack, room)}});
  }
  std::string rest = rows < report.rows.size() ? fmt::format("total, {} not shown", counted(report.rows.size() - rows, "row")) : "total";
  table.add({{""}, {human_duration(report.all.ns)}, {times_text(report.all.times)}, {human_duration(report.all.longest_ns)}, {""}, {rest}});
  return table.write(style);
}

std::string holders_table(const LockRow& row, const TextStyle& style) {
  TextTable table({{"", 0}, {"waited", 0}, {"waits", 0}, {"longest", 1}, {"held until released at", 0}});
  std::size_t room = table.last_column_width(style), rows = std::min(kMostHolders, row.holders.size());
  for (std::size_t i = 0; i < rows; ++i) {
    const LockHolder& holder = row.holders[i];
    table.add({{""}, {human_duration(holder.ns)}, {times_text(holder.times)}, {human_duration(holder.longest_ns)}, {holder_text(holder, room)}});
  }
  if (std::size_t rest = row.holders.size() - rows) table.add({{""}, {""}, {""}, {""}, {fmt::format("and {} more", rest)}});
  return table.write(style);
}

std::string hold_place_text(const LockHoldRow& row, std::size_t room) {
  return row.at_least ? "until released at " + place_text(row.stack, room > 18 ? room - 18 : 0)
                      : "taken at " + place_text(row.stack, room > 9 ? room - 9 : 0);
}

// What is no more than a lower bound has a sign in front.
std::string held_text(const LockHoldRow& row, std::uint64_t ns) {
  return (row.at_least ? "> " : "") + human_duration(ns);
}

std::string holds_text(const LockReport& report, std::size_t sites, const TextStyle& style) {
  if (report.holds.empty()) return "";
  std::string out =
      "\n" + style.paragraph(Paint::kStrong, "For how long mutexes were held that threads waited for");
  out += style.paragraph(
      Paint::kPlain,
      "Taken after a wait: all of the hold. Taken free (>): from the first wait of another thread on.");
  TextTable table({{"held", 0}, {"holds", 0}, {"on average", 2}, {"longest", 1}, {"lock", 0}, {"place", 0}});
  std::size_t room = table.last_column_width(style), rows = std::min(sites, report.holds.size());
  for (std::size_t i = 0; i < rows; ++i) {
    const LockHoldRow& row = report.holds[i];
    table.add({{held_text(row, row.ns)},
               {times_text(row.times)},
               {held_text(row, row.times ? row.ns / row.times : 0)},
               {held_text(row, row.longest_ns)},
               {printable(lock_words(row))},
               {hold_place_text(row, room)}});
  }
  out += table.write(style);
  if (rows < report.holds.size())
    out +=
        style.paragraph(Paint::kDim, fmt::format("{} not shown", counted(report.holds.size() - rows, "row")));
  return out;
}

std::string block_text(const LockRow& row, const TextStyle& style) {
  if (!row.block) return "";
  return style.paragraph(Paint::kPlain, fmt::format("   {} in {} of {} allocated at {}", row.futexes.size() == 1 ? "lies" : "the first lies",
                                                    row.block->kind, human_bytes(static_cast<double>(row.block->size)), call_site_line(own_part(row.block->stack), 0)));
}

Json figures_json_of(const LockFigures& figures) { return {{"ns", figures.ns}, {"waits", figures.times}, {"longest_ns", figures.longest_ns}}; }

Json holder_json(const LockHolder& holder) {
  constexpr const char* kEnds[] = {"unknown", "released", "other process"};
  Json json = {{"end", kEnds[static_cast<std::size_t>(holder.end)]}};
  json.update(figures_json_of(holder));
  if (holder.end != LockWaitEnd::kReleased) return json;
  json["incomplete"] = holder.incomplete.empty() ? Json(nullptr) : text_json(holder.incomplete);
  json["stack"] = stack_json(holder.stack);
  return json;
}

Json lock_site_json(const LockSite& row) {
  std::vector<std::uint64_t> some(
      row.futexes.begin(),
      row.futexes.begin() + static_cast<std::ptrdiff_t>(std::min(kMostAddresses, row.futexes.size())));
  Json json = {{"process", row.process},
               {"lock", text_json(lock_words(row))},
               {"name", row.name.empty() ? Json(nullptr) : text_json(row.name)},
               {"locks", row.name.empty() ? row.futexes.size() : 1},
               {"addresses", some}};
  json["allocated_at"] = row.block ? stack_json(row.block->stack) : Json(nullptr);
  json["incomplete"] = row.incomplete.empty() ? Json(nullptr) : text_json(row.incomplete);
  json["stack"] = stack_json(row.stack);
  return json;
}

Json lock_row_json(const LockRow& row) {
  Json json = lock_site_json(row);
  json.update(figures_json_of(row));
  json["holders"] = list(row.holders, holder_json);
  return json;
}

Json hold_json(const LockHoldRow& row) {
  Json json = lock_site_json(row);
  json.update(
      {{"ns", row.ns}, {"holds", row.times}, {"longest_ns", row.longest_ns}, {"at_least", row.at_least}});
  return json;
}

}  // namespace

std::string lock_waits_text(const LockReport& report, const SectionStyle& how) {
  const TextStyle& style = how.style;
  std::string out = "\n" + style.paragraph(Paint::kStrong, "Waits for locks, added up over threads");
  std::string others = report.other.times ? fmt::format(" {} in futex calls were for no lock (conditions, threads, events).", counted(report.other.times, "wait")) : "";
  out += style.paragraph(Paint::kPlain, "Only waits are seen: taking a lock that is free needs no kernel." + others);
  if (report.rows.empty()) return out + style.paragraph(Paint::kPlain, "No thread waited for a lock.");
  std::size_t rows = std::min(how.sites, report.rows.size());
  out += rows_table(report, rows, style);
  out += holds_text(report, how.sites, style);
  for (std::size_t i = 0; i < std::min(how.stacks, rows); ++i) {
    const LockRow& row = report.rows[i];
    out += "\n" + style.paragraph(Paint::kStrong, fmt::format("#{}  {} in {} for {}", i + 1, human_duration(row.ns), counted(row.times, "wait"), printable(lock_words(row))));
    out += block_text(row, style);
    out += stack_lines(row.stack, row.incomplete, kMostLockFrames, style);
    out += holders_table(row, style);
  }
  return out;
}

std::vector<std::string> lock_wait_sentences(const LockReport& report) {
  if (report.rows.empty()) return {};
  const LockRow& row = report.rows.front();
  std::string holder = row.holders.front().end == LockWaitEnd::kReleased ? fmt::format("; held up most by {}", holder_text(row.holders.front(), 0)) : "";
  return {fmt::format("Threads waited {} for locks, {}; most of it for {} at {}{}.", human_duration(report.all.ns), counted(report.all.times, "wait"),
                      printable(lock_words(row)), place_text(row.stack, 0), holder)};
}

Json lock_waits_json(const LockReport& report) {
  Json rows = Json::array();
  for (const LockRow& row : report.rows) rows.push_back(lock_row_json(row));
  Json json = figures_json_of(report.all);
  json["other"] = figures_json_of(report.other);
  json["sites"] = rows;
  json["holds"] = list(report.holds, hold_json);
  return json;
}

}  // namespace dwell
