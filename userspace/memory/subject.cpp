// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/subject.h"

#include "userspace/memory/block_sites.h"
#include "userspace/memory/codec.h"
#include "userspace/memory/generations.h"
#include "userspace/memory/look_part.h"
#include "userspace/memory/process_tracing.h"
#include "userspace/memory/tracing.h"

namespace dwell {
namespace {

template <MemoryView view>
Result<Profile> profile_of(const Recording& recording, const ViewFilter& filter) {
  Result<MemoryFilter> own = memory_filter(filter);
  return own ? memory_profile(recording, view, *own) : own.error();
}

template <MemoryView view>
View memory_view(std::string_view sentence) {
  return {name_of(view),        sentence,         follows_memory, "dwell record", profile_of<view>,
          /*filtered=*/true, /*signed_values=*/view == MemoryView::kGrowing};
}

std::vector<TracerLoader> tracers(const Chosen& chosen, const RecordOptions&, const Peers&) {
  std::vector<TracerLoader> all;
  bool by_site = chosen.has("heap") || chosen.has("mappings");
  if (by_site) all.push_back(MemoryTracing::loader({.heap = chosen.has("heap"), .mappings = chosen.has("mappings")}));
  if (chosen.has("rss")) all.push_back(ProcessTracing::loader(!by_site));
  return all;
}

std::string generations_behind(const Recording& recording, const SectionStyle& how, const Peers&) {
  return generations_text(generations_of(recording), how.style);
}

void add_generations(const Recording& recording, const Peers&, Json& whole) {
  if (recording.marks.empty()) return;
  Generations generations = generations_of(recording);
  whole["generations"] = generations_json(generations);
  if (!generations.not_known.empty()) whole["generations_not_known"] = generations.not_known;
}

}  // namespace

bool follows_memory(const Recording& recording) { return !memory_of(recording).ticks.empty(); }

Result<MemoryFilter> memory_filter(const ViewFilter& filter) {
  MemoryFilter own;
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
                   memory_view<MemoryView::kAll>("allocated and retained, as pprof's heap profiles have it")};
  subject.followed = {{"heap", "blocks of malloc, operator new and other allocators, by call site", true},
                      {"mappings", "memory mapped with mmap, brk and their relatives, by call site", true},
                      {"rss", "RSS over time, what it consists of at the start and at the end, and its limits", true}};
  subject.tracers = tracers;
  subject.look = memory_look_command();
  subject.behind = generations_behind;
  subject.json = add_generations;
  subject.block_sites = &recorded_block_sites();
  return subject;
}

}  // namespace dwell
