// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/look_part.h"

#include <fmt/core.h>

#include "ui/json_parts.h"
#include "userspace/memory/account/look_text.h"
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
  }

  Result<LookAnswer> look(const LookRequest& request) override {
    memory::LookOptions options = options_;
    options.pid = request.pid;
    Result<memory::MemoryLook> look = memory::look_at_memory(options);
    if (!look) return look.error();
    Result<std::optional<Leaks>> leaks = leaks_of(*look);
    if (!leaks) return leaks.error();
    LookAnswer answer;
    answer.content = request.json ? json_of(*look, *leaks) : text_of(*look, *leaks, request.style);
    if (*leaks && (*leaks)->lost_blocks) answer.exit = Exit::kFound;
    if (!look->no_heap.empty())
      answer.problem = Error{fmt::format("look at the heap of PID {}: {}", request.pid, look->no_heap),
                             fmt::format("record what it maps: dwell record {} -d 60", request.pid), Exit::kUnsupported};
    return answer;
  }

 private:
  using Leaks = memory::reach::LeakReport;

  // None where leaks were not asked for, or no heap was found.
  Result<std::optional<Leaks>> leaks_of(const memory::MemoryLook& look) const {
    if (!leaks_ || !look.no_heap.empty()) return std::optional<Leaks>();
    Result<Leaks> leaks = memory::reach::find_leaks({look.process.pid, options_.max_read_per_s});
    if (!leaks) return leaks.error();
    return std::optional(std::move(*leaks));
  }

  std::string json_of(const memory::MemoryLook& look, const std::optional<Leaks>& leaks) const {
    Json json = memory::look_json(look);
    json["leaks"] = leaks ? memory::reach::leaks_json(*leaks) : Json(nullptr);
    return json_text(json);
  }

  std::string text_of(const memory::MemoryLook& look, const std::optional<Leaks>& leaks, const TextStyle& style) const {
    std::string text = memory::look_text(look, {style, rows_});
    if (leaks) text += memory::reach::leaks_text(*leaks, style, rows_);
    return text;
  }

  memory::LookOptions options_;
  bool leaks_ = false;
  std::size_t rows_ = 10;
};

}  // namespace

LookCommand memory_look_command() {
  LookCommand command;
  command.sentence = "what the memory of a process consists of, and what is on its heap; places no probes";
  command.examples =
      "dwell memory 1234                what RSS consists of: live blocks, free memory in malloc, stacks, files\n"
      "dwell memory redis-server --types  and what the live blocks hold\n"
      "dwell memory 1234 --leaks        and which blocks nothing points to any more\n";
  command.json_page = "docs/memory-look.md";
  command.uses_bpf = true;
  command.make = []() -> std::unique_ptr<LookPart> { return std::make_unique<MemoryLookPart>(); };
  return command;
}

}  // namespace dwell
