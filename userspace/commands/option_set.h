// SPDX-License-Identifier: Apache-2.0
// How the kinds of options that commands share are declared: each says in its own words what a value must be.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/record/look_command.h"
#include "userspace/views/filter.h"

namespace dwell {

struct ViewChoice;

// Turns the text of an option into its value, or says what would be one.
template <typename T, typename Parse>
auto value_of(T& value, Parse parse, const char* what) {
  return [&value, parse, what](const std::string& text) {
    auto parsed = parse(text);
    if (!parsed) throw CLI::ValidationError("'" + text + "' is not " + what);
    value = *parsed;
  };
}

inline constexpr const char* kTime = "a time like 90, 1.5s, 10m";
inline constexpr const char* kDebugOptions = "Options for debugging dwell";

template <typename T>
CLI::Option* add_time(CLI::App& app, const std::string& names, T& ns, const std::string& help);
template <typename T>
CLI::Option* add_size(CLI::App& app, const std::string& names, T& bytes, const std::string& help, const char* like);
// How many of something: no sign, no fraction.
CLI::Option* add_count(CLI::App& app, const std::string& names, std::size_t& count, const std::string& help);
CLI::Option* add_choice(CLI::App& app, const std::string& names, std::string& value, const std::vector<std::string>& words,
                        const std::string& help);
void add_verbose(CLI::App& app, bool& verbose);
void add_max_memory(CLI::App& app, std::optional<std::uint64_t>& bytes, const std::string& help);
void add_pager(CLI::App& app, bool& pager);
// What all views of a recording can be narrowed down by.
void add_filter(CLI::App& app, ViewFilter& filter);
void add_process_filter(CLI::App& app, ViewFilter& filter);
// `--view` alone lists those that the recording has.
void add_view(CLI::App& app, ViewChoice& view, const std::string& otherwise);

// The options of a subject's look.
class CliOptions : public OptionSet {
 public:
  explicit CliOptions(CLI::App& app) : app_(app) {}
  void flag(const std::string& names, bool& value, const std::string& help) override;
  void count(const std::string& names, std::size_t& value, const std::string& help) override;
  void time(const std::string& names, std::uint64_t& ns, const std::string& help) override;
  void rate(const std::string& names, std::uint64_t& bytes_per_s, const std::string& help) override;
  void share(const std::string& names, double& share, const std::string& help) override;
  void text(const std::string& names, std::string& value, const std::string& type, const std::string& help) override;
  void one_of(const std::string& names, std::string& value, const std::vector<std::string>& words, const std::string& help) override;

 private:
  CLI::App& app_;
};

}  // namespace dwell
