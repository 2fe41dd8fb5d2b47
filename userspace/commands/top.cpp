// SPDX-License-Identifier: Apache-2.0
// `dwell top PROCESS...`: a screen that shows what the memory of processes does while they are recorded.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <new>

#include "userspace/base/memory_limit.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/top/top.h"

namespace dwell {
namespace {

constexpr std::uint64_t kLongestTickNs = 10'000'000'000;  // older figures are no longer "now"
constexpr double kShareOfMemory = 0.25;                   // of what is free, for each process of ours

// In a process of its own.
int record_into(const RecordCommand& command, const std::string& path, bool kept) {
  RecordCommand record = command;
  record.options.output = path;
  record.options.symbols = kept;
  // What is only known at the end, and dear, is not worth it for a recording that goes then.
  if (auto go = record.follows.find("go"); go != record.follows.end() && !kept) go->second.names.erase("proof");
  record.options.longest_tick_ns = kLongestTickNs;
  record.quiet = true;
  Result<Exit> result = no_memory("record");
  try {
    result = run(record);
  } catch (const std::bad_alloc&) {
  }
  if (result) return static_cast<int>(*result);
  fmt::print(stderr, "{}", error_text(result.error()));
  return static_cast<int>(result.error().exit);
}

}  // namespace

Result<Exit> run(const TopCommand& command) {
  choose_memory_limit(command.record.max_memory, kShareOfMemory);
  top::TopRequest request;
  RecordCommand record = command.record;
  record.targets.own = ::getpid();
  RecordOptions whom;
  if (Result<void> chosen = choose_targets(record.targets, whom); !chosen) return chosen.error();
  request.pids = whom.group ? whom.group->members() : whom.pids;
  if (whom.group) request.group = whom.group->name;
  request.output = command.record.options.output;
  request.count = command.count;
  request.interval_ns = command.interval_ns;
  request.command_line = command.record.options.command_line;
  bool kept = !request.output.empty();
  request.record = [&record, kept](const std::string& path) { return record_into(record, path, kept); };
  return top::watch(request);
}

}  // namespace dwell
