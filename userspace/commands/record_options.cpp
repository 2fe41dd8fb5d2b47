// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <functional>

#include "userspace/base/text.h"
#include "userspace/commands/command_table.h"
#include "userspace/commands/declare.h"
#include "userspace/commands/option_set.h"
#include "userspace/subjects/subjects.h"

namespace dwell {
namespace {

constexpr const char* kFollow = "What is followed";

// A limit in percent, where 0 is none.
std::optional<double> parse_limit(const std::string& text) {
  if (text == "0" || text == "0%") return 0.0;
  std::optional<double> share = parse_percent(text);
  return share ? std::optional(*share * 100) : std::nullopt;
}

std::optional<AttachMethod> parse_method(const std::string& name) {
  if (name == "session") return AttachMethod::kSession;
  if (name == "multi") return AttachMethod::kMulti;
  if (name == "perf") return AttachMethod::kPerf;
  return std::nullopt;
}

// "go,threads:blocked", given once or several times.
void add_names(CLI::App& app, const std::string& option, std::vector<std::string>& names, const std::string& help) {
  auto take = [&names](const std::vector<std::string>& given) {
    for (const std::string& list : given)
      for (std::string_view name : split(list, ','))
        if (!name.empty()) names.emplace_back(name);
  };
  app.add_option_function<std::vector<std::string>>(option, take, help)
      ->type_name("NAME,...")
      ->allow_extra_args(false)
      ->group(kFollow);
}

// A flag that takes a value, and may be given several times.
void add_values(CLI::App& app, const Followed& followed, const std::string& help, std::function<void(const std::vector<std::string>&)> take) {
  app.add_option_function<std::vector<std::string>>(std::string(followed.flag), std::move(take), help)
      ->type_name(std::string(followed.value_name))
      ->allow_extra_args(false)
      ->group(kFollow);
}

void declare_follow(CLI::App& app, RecordCommand& command, FollowRequest& request) {
  add_names(app, "--only", request.only, "follow nothing but these: " + subject_names() + ", or parts of them, listed below");
  add_names(app, "--without", request.without, "leave these out");
  for (const Subject& subject : subjects()) {
    for (const Followed& followed : subject.followed) {
      if (followed.flag.empty()) continue;
      std::string name = full_name(subject, followed);
      std::string help = followed.flag_help.empty() ? "also record " + std::string(followed.sentence) : std::string(followed.flag_help);
      if (!followed.value_name.empty()) {
        add_values(app, followed, help, [&request, name](const std::vector<std::string>& given) {
          request.added.push_back(name);
          request.values[name] = given;
        });
        continue;
      }
      app.add_flag_callback(std::string(followed.flag), [&request, name] { request.added.push_back(name); }, help)
          ->group(kFollow);
    }
  }
  app.add_flag("--follow-forks", command.options.follow_forks, "also record the processes that it forks")->group(kFollow);
  add_time(app, "--look-every", command.options.look_every_ns,
           "take snapshots of threads and goroutines this often (default: every second at first, later less often)")
      ->group(kFollow);
}

void declare_debug(CLI::App& app, RecordCommand& command) {
  RecordOptions& options = command.options;
  add_size(app, "--buffer", options.ring_bytes, "size of the ring buffer between the kernel and dwell (default: 64M)", "a size like 64M")
      ->group(kDebugOptions);
  app.add_option_function<std::string>("--attach-method", value_of(options.attach_method, parse_method, "session, multi or perf"),
                                       "session, multi or perf (default: the best that works)")
      ->type_name("METHOD")
      ->group(kDebugOptions);
  add_verbose(app, command.verbose);
}

void declare_cost(CLI::App& app, RecordCommand& command) {
  RecordOptions& options = command.options;
  add_size(app, "--sample-bytes", options.sample_bytes,
           "record one allocation per this many bytes, chosen at random; figures are scaled up and shown with their standard error "
           "(default: every allocation)",
           "a size like 4096, 512K, 1M");
  app.add_option_function<std::string>("--max-overhead",
                                       value_of(options.max_overhead_percent, parse_limit, "a percentage like 2 or 0.5%"),
                                       "keep the cost of recording memory below this share of the target's CPU time: where exact "
                                       "recording costs more, figures are estimates with their error (default: 2% where dwell attaches)")
      ->type_name("PERCENT")
      ->excludes(app.get_option("--sample-bytes"));
  app.add_flag("--exact", options.exact, "record every allocation, whatever that costs (default where dwell starts the program)");
  app.add_option_function<std::string>("--detach-above",
                                       value_of(options.detach_above_percent, parse_limit, "a percentage like 90 or 50%; 0: never"),
                                       "stop recording when the probes have taken more than this share of the target's CPU time for 5 s "
                                       "(default: 90%; 0: never)")
      ->type_name("PERCENT");
  app.add_flag_callback("--no-return-probes", [&options] { options.return_probes = false; },
                        "never change a return address; probe return instructions instead, which costs more: for programs that walk "
                        "their stack in signal handlers");
}

constexpr const char* kMemoryOfRecord =
    "memory that dwell may use; close to it, stacks are cut short, then the recording is stopped (default: a quarter of what is free)";

}  // namespace

void declare_record(CLI::App& app, RecordCommand& command, RecordWords& words) {
  RecordOptions& options = command.options;
  add_recorded(app, words.targets);
  app.add_option("-o,--output", options.output, "the recording (default: NAME.PID.dwell); an existing file is renamed to FILE.old")
      ->type_name("FILE");
  add_time(app, "-d,--duration", options.duration_ns, "stop after this time (default: at Ctrl-C, or when the target ends)");
  declare_follow(app, command, words.follows);
  declare_cost(app, command);
  app.add_flag_callback("--no-symbols", [&options] { options.symbols = false; }, "leave names to 'dwell symbolize', here or elsewhere");
  app.add_flag("--partial", command.partial, "exit code 0 although something that should be seen is not; without it: 5");
  app.add_flag("-q,--quiet", command.quiet, "no live line, no summary");
  add_max_memory(app, command.max_memory, kMemoryOfRecord);
  declare_debug(app, command);
  app.footer("\nWhat is followed, where the target has it: by default (yes), or with an option\n" + list_followed(subjects()) +
             examples_text(words_of("record").examples));
}

void declare_top(CLI::App& app, TopCommand& command, RecordWords& words) {
  add_recorded(app, words.targets);
  app.add_option("-o,--output", command.record.options.output, "keep the recording (default: it goes with the screen; the key w saves it)")
      ->type_name("FILE");
  app.add_option_function<std::size_t>("-n,--count", [&command](std::size_t count) { command.count = count; }, "end after so many refreshes")
      ->type_name("N");
  add_time(app, "-i,--interval", command.interval_ns, "where there is no terminal: how often lines are printed (default: 5s)");
  declare_follow(app, command.record, words.follows);
  declare_cost(app, command.record);
  add_max_memory(app, command.record.max_memory, kMemoryOfRecord);
  declare_debug(app, command.record);
  app.footer("\nWhat is followed, where the target has it: by default (yes), or with an option\n" + list_followed(subjects()) +
             examples_text(words_of("top").examples));
}

}  // namespace dwell
