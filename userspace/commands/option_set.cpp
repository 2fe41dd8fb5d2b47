// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/option_set.h"

#include <fmt/ranges.h>

#include <charconv>

#include "userspace/commands/options.h"
#include "userspace/subjects/subjects.h"

namespace dwell {
namespace {

constexpr const char* kFilters = "Filters";

// Nothing but 0 is no limit.
std::optional<std::uint64_t> parse_rate(const std::string& text) {
  return text == "0" ? std::uint64_t{0} : parse_size(text.ends_with("/s") ? text.substr(0, text.size() - 2) : text);
}

std::optional<std::size_t> parse_count(const std::string& text) {
  std::size_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

template <typename T>
CLI::Option* add_time(CLI::App& app, const std::string& names, T& ns, const std::string& help) {
  return app.add_option_function<std::string>(names, value_of(ns, parse_duration, kTime), help)->type_name("TIME");
}
template CLI::Option* add_time(CLI::App&, const std::string&, std::uint64_t&, const std::string&);
template CLI::Option* add_time(CLI::App&, const std::string&, std::optional<std::uint64_t>&, const std::string&);

template <typename T>
CLI::Option* add_size(CLI::App& app, const std::string& names, T& bytes, const std::string& help, const char* like) {
  return app.add_option_function<std::string>(names, value_of(bytes, parse_size, like), help)->type_name("SIZE");
}
template CLI::Option* add_size(CLI::App&, const std::string&, std::uint64_t&, const std::string&, const char*);
template CLI::Option* add_size(CLI::App&, const std::string&, std::optional<std::uint64_t>&, const std::string&, const char*);

CLI::Option* add_count(CLI::App& app, const std::string& names, std::size_t& count, const std::string& help) {
  return app.add_option_function<std::string>(names, value_of(count, parse_count, "a number like 20"), help)->type_name("N");
}

CLI::Option* add_choice(CLI::App& app, const std::string& names, std::string& value, const std::vector<std::string>& words,
                        const std::string& help) {
  std::string what = fmt::format("one of {}", fmt::join(words, ", "));
  auto take = [&value, words, what](const std::string& text) {
    if (std::ranges::find(words, text) == words.end()) throw CLI::ValidationError("'" + text + "' is not " + what);
    value = text;
  };
  return app.add_option_function<std::string>(names, take, fmt::format("{} {}", fmt::join(words, ", "), help))->type_name("WORD");
}

void add_verbose(CLI::App& app, bool& verbose) {
  app.add_flag("-v,--verbose", verbose, "print what libbpf says, and the kernel verifier's whole log")->group(kDebugOptions);
}

void add_max_memory(CLI::App& app, std::optional<std::uint64_t>& bytes, const std::string& help) {
  add_size(app, "--max-memory", bytes, help, "a size like 500M, 2G");
}

void add_pager(CLI::App& app, bool& pager) {
  app.add_flag_callback("--no-pager", [&pager] { pager = false; }, "print to the terminal itself, without DWELL_PAGER, PAGER or less");
}

void add_filter(CLI::App& app, ViewFilter& filter) {
  add_time(app, "--from", filter.from_ns, "only from this time on, counted from the start of the recording")->group(kFilters);
  add_time(app, "--to", filter.to_ns, "only up to this time")->group(kFilters);
  app.add_option("--site", filter.site, "only stacks with a function, file or module that matches this expression")
      ->type_name("REGEX")
      ->group(kFilters);
  app.add_option("--module", filter.module, "only stacks through a module whose path contains this")
      ->type_name("TEXT")
      ->group(kFilters);
  app.add_option("--kind", filter.kind, "only this kind of memory: heap, mapping, file, reserved")->type_name("KIND")->group(kFilters);
  app.add_option_function<std::uint32_t>("--thread", [&filter](std::uint32_t tid) { filter.thread = tid; },
                                         "only blocks that this thread allocated and that are still there")
      ->type_name("TID")
      ->group(kFilters);
  add_size(app, "--min", filter.min_bytes, "only call sites with at least this much", "a size like 4096, 64K, 1.5M")->group(kFilters);
  app.add_option_function<std::string>("--temporary", value_of(filter.temporary_ns, parse_duration, "a time like 1ms"),
                                       "count blocks freed before this age as temporary (default: 1ms)")
      ->type_name("TIME")
      ->group(kFilters);
}

void add_process_filter(CLI::App& app, ViewFilter& filter) {
  app.add_option_function<std::uint32_t>("--process", [&filter](std::uint32_t pid) { filter.process = pid; },
                                         "only this one of the recorded processes; without it, processes of one program are added up")
      ->type_name("PID")
      ->group(kFilters);
}

void add_view(CLI::App& app, ViewChoice& view, const std::string& otherwise) {
  auto take = [&view](const std::vector<std::string>& given) {
    view.list = given.empty() || given[0].empty();
    if (view.list) return;
    Result<const View*> known = find_view(given[0]);
    if (!known) throw CLI::ValidationError("--view: " + known.error().what + "; " + known.error().hint);
    view.name = given[0];
  };
  app.add_option_function<std::vector<std::string>>(
         "--view", take, "a view by its name, such as memory:retained; without a name, list them (default: " + otherwise + ")")
      ->expected(0, 1)
      ->type_name("VIEW");
}

void CliOptions::flag(const std::string& names, bool& value, const std::string& help) { app_.add_flag(names, value, help); }
void CliOptions::count(const std::string& names, std::size_t& value, const std::string& help) {
  add_count(app_, names, value, help);
}
void CliOptions::time(const std::string& names, std::uint64_t& ns, const std::string& help) { add_time(app_, names, ns, help); }
void CliOptions::rate(const std::string& names, std::uint64_t& bytes_per_s, const std::string& help) {
  app_.add_option_function<std::string>(names, value_of(bytes_per_s, parse_rate, "a rate like 500M/s, 2G; 0: no limit"), help)
      ->type_name("SIZE");
}
void CliOptions::share(const std::string& names, double& share, const std::string& help) {
  app_.add_option_function<std::string>(names, value_of(share, parse_percent, "a share like 2 or 0.5%, up to 100"), help)
      ->type_name("PERCENT");
}
void CliOptions::text(const std::string& names, std::string& value, const std::string& type, const std::string& help) {
  app_.add_option(names, value, help)->type_name(type);
}
void CliOptions::one_of(const std::string& names, std::string& value, const std::vector<std::string>& words, const std::string& help) {
  add_choice(app_, names, value, words, help);
}

}  // namespace dwell
