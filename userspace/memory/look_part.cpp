// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/look_part.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "ui/json_parts.h"
#include "userspace/memory/account/look_text.h"
#include "userspace/memory/findings.h"
#include "userspace/memory/reach/heap_diff.h"
#include "userspace/memory/reach/holders_text.h"
#include "userspace/memory/reach/leaks_text.h"

namespace dwell {
namespace {

class MemoryLookPart : public LookPart {
 public:
  void declare(OptionSet& options) override {
    options.count("-n,--rows", rows_, "rows of each table (default: 10)");
    options.rate("--max-read", options_.max_read_per_s, "read at most this much of its memory per second (default: 1G/s; 0: no limit)");
    options.flag("--types", options_.types,
                 "also show what live blocks hold: C++ classes by name, text, pointers; never the content itself");
    options.flag("--leaks", leaks_,
                 "also find live blocks that nothing points to; reads the whole heap several times; exit code 8 if there are any");
    options.flag("--holders", holders_, "also show what holds the live blocks: global variables, threads, and how much each retains");
    options.time("--diff", diff_ns_, "look again after this time: which blocks were born and died, by who holds them");
  }

  Result<LookAnswer> look(const LookRequest& request) override {
    memory::LookOptions options = options_;
    options.pid = request.pid;
    options.runtimes = runtimes_of(request);
    Result<memory::MemoryLook> look = memory::look_at_memory(options);
    if (!look) return look.error();
    Result<std::optional<Leaks>> leaks = leaks_of(*look);
    if (!leaks) return leaks.error();
    Result<std::optional<Holders>> holders = holders_of(*look);
    if (!holders) return holders.error();
    Result<std::optional<Diff>> diff = diff_of(*look);
    if (!diff) return diff.error();
    LookAnswer answer;
    Found found{*look, *leaks, *holders, *diff};
    answer.content = request.json ? json_of(found) : text_of(found, request.style);
    if (*leaks && (*leaks)->lost_blocks) answer.exit = Exit::kFound;
    bool has_go_heap = look->account.of(memory::Part::kGoHeap).resident > 0;
    if (!look->no_heap.empty() && !has_go_heap)
      answer.problem = Error{fmt::format("look at the heap of PID {}: {}", request.pid, look->no_heap),
                             fmt::format("record what it maps: dwell record {} -d 60", request.pid), Exit::kUnsupported};
    return answer;
  }

 private:
  using Leaks = memory::reach::LeakReport;
  using Holders = memory::reach::HolderReport;
  using Diff = memory::reach::HeapDiff;
  struct Found {
    const memory::MemoryLook& look;
    const std::optional<Leaks>& leaks;
    const std::optional<Holders>& holders;
    const std::optional<Diff>& diff;
  };
  static constexpr std::size_t kHolders = 50, kHoldersCompared = 1000;

  // None where leaks were not asked for, or no heap was found.
  Result<std::optional<Leaks>> leaks_of(const memory::MemoryLook& look) const {
    if (!leaks_ || !look.no_heap.empty()) return std::optional<Leaks>();
    Result<Leaks> leaks = memory::reach::find_leaks({look.process.pid, options_.max_read_per_s});
    if (!leaks) return leaks.error();
    return std::optional(std::move(*leaks));
  }

  Result<std::optional<Holders>> holders_of(const memory::MemoryLook& look) const {
    if (!holders_ || !look.no_heap.empty()) return std::optional<Holders>();
    Result<Holders> holders = memory::reach::find_holders({look.process.pid, options_.max_read_per_s, std::max(rows_, kHolders)});
    if (!holders) return holders.error();
    return std::optional(std::move(*holders));
  }

  Result<std::optional<Diff>> diff_of(const memory::MemoryLook& look) const {
    if (!diff_ns_ || !look.no_heap.empty()) return std::optional<Diff>();
    Result<Diff> diff = memory::reach::watch_heap({look.process.pid, options_.max_read_per_s, kHoldersCompared}, diff_ns_);
    if (!diff) return diff.error();
    return std::optional(std::move(*diff));
  }

  std::string json_of(const Found& found) const {
    Json json = memory::look_json(found.look);
    json["leaks"] = found.leaks ? memory::reach::leaks_json(*found.leaks) : Json(nullptr);
    json["holders"] = found.holders ? memory::reach::holders_json(*found.holders) : Json(nullptr);
    json["diff"] = found.diff ? memory::reach::diff_json(*found.diff) : Json(nullptr);
    return json_text(json);
  }

  std::string text_of(const Found& found, const TextStyle& style) const {
    std::string text = memory::look_text(found.look, {style, rows_});
    if (found.holders) text += memory::reach::holders_text(*found.holders, style, rows_);
    if (found.diff) text += memory::reach::diff_text(*found.diff, style, rows_);
    if (found.leaks) text += memory::reach::leaks_text(*found.leaks, style, rows_);
    return text;
  }

  memory::LookOptions options_;
  bool leaks_ = false, holders_ = false;
  std::uint64_t diff_ns_ = 0;  // 0: no second look
  std::size_t rows_ = 10;
};

}  // namespace

LookCommand memory_look_command() {
  LookCommand command;
  command.sentence = "what the memory of a process consists of, and what is on its heap; places no probes";
  command.examples =
      "dwell memory 1234                what RSS consists of: live blocks, free memory in malloc, stacks, files\n"
      "dwell memory redis-server --types  and what the live blocks hold\n"
      "dwell memory 1234 --leaks        and which blocks nothing points to any more\n"
      "dwell memory 1234 --holders      and which variable or thread holds how much\n"
      "dwell memory 1234 --diff 30s     and which blocks are born and die in half a minute\n";
  command.json_page = "docs/memory-look.md";
  command.uses_bpf = true;
  command.findings = memory_findings;
  command.make = []() -> std::unique_ptr<LookPart> { return std::make_unique<MemoryLookPart>(); };
  return command;
}

}  // namespace dwell
