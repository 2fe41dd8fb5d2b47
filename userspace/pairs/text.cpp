// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/lifetimes.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/views/frames.h"

namespace dwell::pairs {
namespace {

constexpr std::size_t kMostStackFrames = 64, kMostPairSentences = 3;

std::string number(std::uint64_t count) { return grouped(static_cast<std::int64_t>(count)); }

const std::string& name_of(const PairReport& report, const HoldRow& row) { return report.pairs[row.pair].name; }

std::string taken_at(const HoldRow& row, std::size_t room) {
  return row.caller.empty() ? "[unknown]" : call_site_line(own_part(row.caller), room);
}

std::string leak_text(const PairReport& report, const HoldRow& row) {
  const SiteLeak& leak = *row.leak;
  std::string others = row.given ? fmt::format("; of the {} others taken there, 95 % were given back within {}", number(row.given),
                                               human_duration(leak.closed_within_ns))
                                 : "; none that was taken there was given back";
  return fmt::format("{} leaks: {} taken at {} are not given back, {} more a minute{}.", name_of(report, row), number(leak.staying), taken_at(row, 0),
                     count_text(leak.per_minute), others);
}

std::vector<std::string> leaks_of(const PairReport& report) {
  std::vector<std::string> all;
  for (const HoldRow& row : report.rows)
    if (row.leak) all.push_back(leak_text(report, row));
  return all;
}

std::string totals_text(const PairInfo& pair, const PairTotals& totals) {
  std::string text = fmt::format("{}: {} held now, {} taken and {} given back in this recording", pair.name, number(totals.held()), number(totals.taken),
                                 number(totals.given));
  if (pair.sized) text += fmt::format("; in size, {} of {} are held", number(totals.held_size()), number(totals.taken_size));
  if (totals.peak_after_ns && totals.peak > 1) text += fmt::format("; at most {} at a time, after {}", number(totals.peak), human_duration(*totals.peak_after_ns));
  text += ".";
  if (!totals.unknown) return text;
  if (totals.taken && !totals.given)
    return text + fmt::format(" {} were given back, and none of them is one that was taken: say which value it is, as {}=FUNCTION(arg1):...", number(totals.unknown),
                              pair.name);
  return text + fmt::format(" {} more were given back that nobody was seen to take: before the recording, or by another function.", number(totals.unknown));
}

std::string holds_table(const PairReport& report, std::size_t rows, const TextStyle& style) {
  bool sized = std::ranges::any_of(report.pairs, &PairInfo::sized);
  TextTable table({{"#", 0},
                   {"held", 0},
                   {"size", 1},
                   {"taken", 0},
                   {"given back", 0},
                   {"growth/min", 1},
                   {"peak", 2},
                   {"oldest", 2},
                   {"95% lived", 2},
                   {"on average", 2},
                   {"pair", 1},
                   {"taken at", 0}});
  std::size_t room = table.last_column_width(style);
  for (std::size_t i = 0; i < rows; ++i) {
    const HoldRow& row = report.rows[i];
    table.add({{fmt::format("{}", i + 1)},
               {number(row.held())},
               {sized ? number(row.held_size()) : "-"},
               {number(row.taken)},
               {number(row.given)},
               {row.growth_per_minute ? signed_count(*row.growth_per_minute) : "-"},
               {number(row.peak)},
               {age_text(row.oldest_age_ns)},
               {lifetime_text(row.lifetimes)},
               {row.given && row.lived_ns ? human_duration(row.lived_ns / row.given) : "-"},
               {name_of(report, row)},
               {taken_at(row, room)}});
  }
  return table.write(style);
}

Json hold_leak_json(const std::optional<SiteLeak>& leak) {
  if (!leak) return nullptr;
  return {{"staying", leak->staying}, {"per_minute", leak->per_minute}, {"others_given_within_ns", leak->closed_within_ns ? Json(leak->closed_within_ns) : Json(nullptr)}};
}

Json figures_json(const HoldFigures& figures, bool sized) {
  Json json = {{"held", figures.held()},
               {"taken", figures.taken},
               {"given", figures.given},
               {"lived_ns", figures.lived_ns}};
  if (sized) json.update({{"held_size", figures.held_size()}, {"taken_size", figures.taken_size}, {"given_size", figures.given_size}});
  return json;
}

Json hold_row_json(const PairReport& report, const HoldRow& row) {
  Json json = {{"process", row.process}, {"pair", name_of(report, row)}, {"function", printable(row.function)}};
  json.update(figures_json(row, report.pairs[row.pair].sized));
  json["peak"] = row.peak;
  json["growth_per_minute"] = row.growth_per_minute ? Json(*row.growth_per_minute) : Json(nullptr);
  json["oldest_age_ns"] = row.oldest_age_ns ? Json(*row.oldest_age_ns) : Json(nullptr);
  json["lifetimes"] = lifetimes_json(row.lifetimes, "given");
  json["values"] = row.values;
  json["leak"] = hold_leak_json(row.leak);
  json["incomplete"] = row.incomplete.empty() ? Json(nullptr) : Json(printable(row.incomplete));
  json["stack"] = stack_json(row.stack);
  return json;
}

Json pair_json(const PairInfo& pair, const PairTotals& totals) {
  Json json = {{"name", pair.name}, {"given_as", pair.given}};
  json.update(figures_json(totals, pair.sized));
  json["unknown"] = totals.unknown;
  json["peak"] = totals.peak;
  json["peak_after_ns"] = totals.peak_after_ns ? Json(*totals.peak_after_ns) : Json(nullptr);
  json["take_functions"] = list(pair.takes, text_json);
  json["give_functions"] = list(pair.gives, text_json);
  return json;
}

}  // namespace

std::string pairs_text(const PairReport& report, const SectionStyle& how) {
  const TextStyle& style = how.style;
  std::string out = "\n" + style.paragraph(Paint::kStrong, "What is taken and given back, by the call site that took it");
  for (std::size_t i = 0; i < report.pairs.size(); ++i) out += style.paragraph(Paint::kPlain, totals_text(report.pairs[i], report.totals[i]));
  for (const std::string& leak : leaks_of(report)) out += style.paragraph(Paint::kGrew, leak);
  std::size_t rows = std::min(how.sites, report.rows.size());
  if (rows) out += holds_table(report, rows, style);
  if (rows < report.rows.size()) out += style.paragraph(Paint::kDim, fmt::format("{} not shown", counted(report.rows.size() - rows, "row")));
  for (std::size_t i = 0; i < std::min(how.stacks, rows); ++i) {
    const HoldRow& row = report.rows[i];
    if (row.stack.empty() || !row.held()) continue;
    out += "\n" + style.paragraph(Paint::kStrong, fmt::format("#{}  {} held of {} taken ({})", i + 1, number(row.held()), number(row.taken), name_of(report, row)));
    out += stack_lines(row.stack, row.incomplete, kMostStackFrames, style);
  }
  return out;
}

std::vector<std::string> pair_sentences(const PairReport& report) {
  std::vector<std::string> all = leaks_of(report);
  bool none = all.empty();
  for (std::size_t i = 0; i < report.pairs.size() && none; ++i) all.push_back(totals_text(report.pairs[i], report.totals[i]));
  if (all.size() > kMostPairSentences) all.resize(kMostPairSentences);
  return all;
}

Json pairs_json(const PairReport& report) {
  Json pairs = Json::array(), sites = Json::array();
  for (std::size_t i = 0; i < report.pairs.size(); ++i) pairs.push_back(pair_json(report.pairs[i], report.totals[i]));
  for (const HoldRow& row : report.rows) sites.push_back(hold_row_json(report, row));
  return {{"pairs", pairs}, {"sites", sites}};
}

}  // namespace dwell::pairs
