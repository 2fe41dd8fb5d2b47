// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/code/makers.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "userspace/go/code/places.h"

namespace dwell {
namespace {

constexpr std::string_view kTickers[] = {"time.NewTicker", "time.Tick"};
constexpr std::string_view kStopTicker[] = {"time.(*Ticker).Stop"};
constexpr std::string_view kTimers[] = {"time.NewTimer", "time.After"};
constexpr std::string_view kStopTimer[] = {"time.(*Timer).Stop", "time.stopTimer", "time.(*Timer).Reset"};
constexpr std::string_view kCancels[] = {"context.WithCancel", "context.withCancel", "context.WithCancelCause"};
constexpr std::string_view kDeadlines[] = {"context.WithTimeout", "context.WithTimeoutCause", "context.WithDeadline", "context.WithDeadlineCause"};
constexpr std::string_view kRequests[] = {"net/http.Get", "net/http.Post", "net/http.Head", "net/http.PostForm", "net/http.(*Client).Get",
                                          "net/http.(*Client).Do", "net/http.(*Client).do", "net/http.(*Client).Post",
                                          "net/http.(*Client).Head", "net/http.(*Client).PostForm", "net/http.(*Transport).RoundTrip",
                                          "net/http.(*Transport).roundTrip"};
constexpr std::string_view kRows[] = {"database/sql.(*DB).Query", "database/sql.(*DB).QueryContext", "database/sql.(*Stmt).Query",
                                      "database/sql.(*Stmt).QueryContext"};
constexpr std::string_view kCloseRows[] = {"database/sql.(*Rows).Close", "database/sql.(*Rows).close"};
constexpr std::string_view kFiles[] = {"os.Open", "os.OpenFile", "os.Create", "os.CreateTemp", "os.OpenInRoot", "os.Pipe"};
constexpr std::string_view kCloseFile[] = {"os.(*File).Close", "os.(*file).close"};

using Sites = std::vector<GoCallSite>;

bool is_initializer(const GoCallSite& site) {
  std::string_view name = site.place.function;
  return name.ends_with(".init") || name.find(".init.") != std::string_view::npos;
}

// Only those for which it holds, unless it holds for none.
template <typename Predicate>
void prefer(Sites& sites, Predicate holds) {
  if (std::ranges::any_of(sites, holds)) std::erase_if(sites, [&](const GoCallSite& site) { return !holds(site); });
}

GoMakers makers_from(const Sites& sites) {
  GoMakers makers;
  for (const GoCallSite& site : sites) {
    auto same = [&](const GoCall& other) { return other.line == site.place.line && other.file == site.place.file; };
    if (std::ranges::none_of(makers.places, same)) makers.places.push_back(site.place);
  }
  return makers;
}

// Those whose function never ends what it made.
GoMakers makers_without(Sites sites, const GoCallSites& all, std::span<const std::string_view> end, std::string_view name) {
  auto lacks = [&](const GoCallSite& site) { return !all.calls(site.place.function, end); };
  bool any = std::ranges::any_of(sites, lacks);
  prefer(sites, lacks);
  GoMakers makers = makers_from(sites);
  if (any) makers.never_calls = name;
  return makers;
}

bool is_made_by(const GoCallSite& site, const GoContextGroup& group) {
  auto same = [&](const GoCall& call) { return without_closures(call.function) == without_closures(site.place.function); };
  return same(group.creator) || std::ranges::any_of(group.calls, same);
}

}  // namespace

std::span<const std::string_view> maker_functions() {
  static const std::vector<std::string_view> kAll = [] {
    std::vector<std::string_view> all;
    for (std::span<const std::string_view> names : std::initializer_list<std::span<const std::string_view>>{
             kTickers, kStopTicker, kTimers, kStopTimer, kCancels, kDeadlines, kRequests, kRows, kCloseRows, kFiles, kCloseFile})
      all.insert(all.end(), names.begin(), names.end());
    return all;
  }();
  return kAll;
}

GoMakers makers_of_tickers(const GoCallSites& sites, std::uint64_t period_ns) {
  Sites found = sites.of(kTickers);
  // A period that stands in the code is that of no other ticker.
  std::erase_if(found, [&](const GoCallSite& site) { return site.argument && *site.argument != period_ns; });
  prefer(found, [&](const GoCallSite& site) { return site.argument.has_value(); });
  return makers_without(std::move(found), sites, kStopTicker, "Ticker.Stop");
}

GoMakers makers_of_timers(const GoCallSites& sites, std::uint64_t left_ns, std::uint64_t count) {
  Sites found = sites.of(kTimers);
  // What was made for less time would be over.
  std::erase_if(found, [&](const GoCallSite& site) { return site.argument && *site.argument < left_ns; });
  if (count > 1) prefer(found, [](const GoCallSite& site) { return !is_initializer(site); });
  return makers_without(std::move(found), sites, kStopTimer, "Timer.Stop");
}

GoMakers makers_of_contexts(const GoCallSites& sites, const GoContextGroup& group) {
  Sites found = group.kind == GoContextKind::kDeadline ? sites.of(kDeadlines) : sites.of(kCancels);
  prefer(found, [&](const GoCallSite& site) { return is_made_by(site, group); });
  if (group.count > 1) prefer(found, [](const GoCallSite& site) { return !is_initializer(site); });
  return makers_from(found);
}

// The body is an interface: whoever closes it calls through that.
GoMakers makers_of_responses(const GoCallSites& sites) {
  Sites found = sites.of(kRequests);
  auto never_closes = [](const GoCallSite& site) { return !site.value_called_later; };
  bool any = std::ranges::any_of(found, never_closes);
  prefer(found, never_closes);
  GoMakers makers = makers_from(found);
  if (any) makers.never_calls = "Close of the body";
  return makers;
}

GoMakers makers_of_rows(const GoCallSites& sites) { return makers_without(sites.of(kRows), sites, kCloseRows, "Rows.Close"); }

GoMakers makers_of_files(const GoCallSites& sites) { return makers_without(sites.of(kFiles), sites, kCloseFile, "File.Close"); }

GoMakers makers_who_keep(const GoCallSites& sites, std::span<const std::string_view> takes, std::span<const std::string_view> gives, std::string_view name) {
  return gives.empty() ? GoMakers() : makers_without(sites.of(takes), sites, gives, name);
}

std::string places_text(const GoMakers& makers) {
  constexpr std::size_t kMost = 3;
  if (makers.places.empty()) return "";
  if (makers.places.size() == 1) return "at " + place_text(makers.places[0]);
  std::string text = "at one of ";
  for (std::size_t i = 0; i < std::min(kMost, makers.places.size()); ++i)
    text += (i ? ", " : "") + place_text(makers.places[i]);
  if (makers.places.size() > kMost) text += fmt::format(" and {} more", makers.places.size() - kMost);
  return text;
}

}  // namespace dwell
