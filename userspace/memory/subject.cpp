// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/subject.h"

#include "userspace/memory/balance.h"
#include "userspace/memory/block_sites.h"
#include "userspace/memory/codec.h"
#include "userspace/memory/generations.h"
#include "userspace/memory/holding_tracing.h"
#include "userspace/memory/look_part.h"
#include "userspace/memory/process_tracing.h"
#include "userspace/memory/program_groups.h"
#include "userspace/memory/touched/report.h"
#include "userspace/memory/touched/text.h"
#include "userspace/memory/touched/tracing.h"
#include "userspace/memory/tracing.h"

namespace dwell {
namespace {

template <MemoryView view>
Result<Profile> profile_of(const Recording& recording, const ViewFilter& filter) {
  Result<MemoryFilter> own = memory_filter(filter, recording);
  return own ? memory_profile(recording, view, *own) : own.error();
}

template <MemoryView view>
View memory_view(std::string_view sentence) {
  return {name_of(view),        sentence,         follows_memory, "dwell record", profile_of<view>,
          /*filtered=*/true, /*signed_values=*/view == MemoryView::kGrowing};
}

std::vector<TracerLoader> tracers(const Chosen& chosen, const RecordOptions& options, const Peers&) {
  std::vector<TracerLoader> all;
  bool holders = chosen.has("holders"), heap = chosen.has("heap") || (holders && chosen.names.size() == 1);
  bool by_site = heap || chosen.has("mappings");
  // Somebody who watches does not want to wait at the end.
  holders = holders && heap && !options.longest_tick_ns;
  std::shared_ptr<memory::KeptBlocks> kept = holders ? std::make_shared<memory::KeptBlocks>() : nullptr;
  if (by_site) all.push_back(MemoryTracing::loader({.heap = heap, .mappings = chosen.has("mappings")}, kept));
  bool touched = chosen.has("touched");
  auto looks = std::make_shared<memory::KeptLooks>();
  if (chosen.has("rss")) all.push_back(ProcessTracing::loader(!by_site && !touched, looks));
  if (touched) all.push_back(memory::TouchedTracing::loader(!by_site, looks));  // behind those whose looks it uses
  if (holders) all.push_back(memory::HoldingTracing::loader(kept));  // last: it takes its time
  return all;
}

std::string behind(const Recording& recording, const SectionStyle& how, const Peers&) {
  std::string text = generations_text(generations_of(recording), how.style);
  if (memory::follows_touched(recording)) text += memory::touched_text(recording, memory::touched_reports(recording), how);
  return text;
}

std::vector<std::string> sentences(const Recording& recording, const Peers&) {
  std::vector<std::string> all;
  if (!memory::follows_touched(recording)) return all;
  std::vector<ProcessBalance> balances = process_balances(recording, {0, memory_of(recording).ticks.size(), recording.start_ns(), recording.end_ns()});
  for (const memory::TouchedReport& report : memory::touched_reports(recording))
    for (const ProcessBalance& balance : balances)
      if (balance.process == report.process && all.empty())
        if (std::string one = memory::touched_sentence(report, is_level(balance) ? 0 : balance.change()); !one.empty()) all.push_back(one);
  return all;
}

void add_json(const Recording& recording, const Peers&, Json& whole) {
  if (memory::follows_touched(recording)) whole["touched"] = memory::touched_json(memory::touched_reports(recording));
  if (recording.marks.empty()) return;
  Generations generations = generations_of(recording);
  whole["generations"] = generations_json(generations);
  if (!generations.not_known.empty()) whole["generations_not_known"] = generations.not_known;
}

}  // namespace

bool follows_memory(const Recording& recording) { return !memory_of(recording).ticks.empty(); }

Result<MemoryFilter> memory_filter(const ViewFilter& filter, const Recording& recording) {
  MemoryFilter own;
  if (filter.process) {
    Result<ProcessSlot> process = recorded_process(*filter.process, recording);
    if (!process) return process.error();
    own.process = *process;
  }
  own.from_ns = filter.from_ns;
  own.to_ns = filter.to_ns;
  own.site = filter.site;
  own.module = filter.module;
  own.thread = filter.thread;
  own.min_bytes = filter.min_bytes;
  own.temporary_ns = filter.temporary_ns;
  if (filter.kind.empty()) return own;
  own.kind = memory_kind_named(filter.kind);
  if (own.kind) return own;
  return Error{"'" + filter.kind + "' is no kind of memory", "the kinds are heap, mapping, file and reserved", Exit::kUsage};
}

Subject memory_subject() {
  Subject subject;
  subject.name = "memory";
  subject.sentence = "which call sites allocate memory, and what they retain";
  subject.chunks = kMemoryChunks;
  subject.views = {memory_view<MemoryView::kRetained>("what is retained at the end of the range"),
                   memory_view<MemoryView::kGrowing>("what is retained at the end less what was at its start"),
                   memory_view<MemoryView::kAllocated>("what was allocated within the range"),
                   memory_view<MemoryView::kTemporary>("what was freed young, within the range"),
                   memory_view<MemoryView::kPeak>("what was retained when memory was highest"),
                   memory_view<MemoryView::kAll>("allocated and retained, as pprof's heap profiles have it"),
                   {"touched", "what is resident, by the call site that touched it first, and by kind of mapping", memory::follows_touched,
                    "dwell record", memory::touched_profile}};
  subject.followed = {{"heap", "blocks of malloc, operator new and other allocators, by call site", true},
                      {"mappings", "memory mapped with mmap, brk and their relatives, by call site", true},
                      {"rss", "RSS over time, what it consists of at the start and at the end, and its limits", true},
                      {"holders", "what holds the blocks that are left at the end: nothing (leaked), or which variables", true},
                      {"touched", "which call sites touch memory first (page faults), and what of that is still resident", true}};
  subject.tracers = tracers;
  subject.look = memory_look_command();
  subject.behind = behind;
  subject.sentences = sentences;
  subject.json = add_json;
  subject.block_sites = &recorded_block_sites();
  return subject;
}

}  // namespace dwell
