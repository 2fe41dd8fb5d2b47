// SPDX-License-Identifier: Apache-2.0
// Reading a recording, and every view of what was read. The first byte says whether the rest is a file as it
// is, or a script of chunks that get their checksums here.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tests/fuzz/chunk_script.h"
#include "userspace/clocks/profile.h"
#include "userspace/clocks/report.h"
#include "userspace/go/record/diff.h"
#include "userspace/go/record/profiles.h"
#include "userspace/go/record/report.h"
#include "userspace/go/record/look_report.h"
#include "userspace/subjects/chunks.h"
#include "userspace/views/profile_diff.h"
#include "userspace/threads/blocked.h"
#include "userspace/go/heap/allocs_report.h"
#include "userspace/go/contexts/made_report.h"
#include "userspace/go/waits/parks_report.h"
#include "userspace/memory/balance_text.h"
#include "userspace/memory/report.h"
#include "userspace/memory/touched/text.h"
#include "userspace/files/opened/text.h"
#include "userspace/pairs/text.h"
#include "userspace/threads/locks/text.h"
#include "userspace/threads/report.h"
#include "userspace/threads/sites.h"
#include "userspace/threads/part.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

void look_at(const Recording& recording) {
  for (SortKey sort : {SortKey::kRetained, SortKey::kAge})
    for (GroupBy group : {GroupBy::kStack, GroupBy::kFunction, GroupBy::kModule, GroupBy::kFile})
      if (!memory_report(recording, {}, sort, group)) std::abort();
  Result<MemoryReport> report = memory_report(recording, {});
  for (const ProcessBalance& balance : report->balances) {
    balance_sentence(balance, "");
    balance_notes(balance, "");
    process_curve(balance, {});
    balance_json(balance);
  }
  MemoryFilter filter;
  filter.from_ns = 1;
  filter.site = "a|main";
  filter.min_bytes = 1;
  for (MemoryView view : {MemoryView::kRetained, MemoryView::kGrowing, MemoryView::kTemporary,
                          MemoryView::kPeak, MemoryView::kAll})
    if (!memory_profile(recording, view, filter)) std::abort();
  if (!memory_diff(recording, recording, filter)) std::abort();
  Result<Profile> all = memory_profile(recording, MemoryView::kAll, {});
  if (!all || !profile_difference(*all, *all).samples.empty()) std::abort();
}

void look_at_descriptors(const Recording& recording) {
  files::DescriptorReport report = files::descriptor_report(recording);
  files::descriptors_text(recording, report, {});
  files::descriptors_json(report);
  files::descriptor_sentences(report);
  if (!files::descriptor_profile(recording, {})) std::abort();
}

void look_at_pairs(const Recording& recording) {
  pairs::PairReport report = pairs::pair_report(recording);
  pairs::pairs_text(report, {});
  pairs::pairs_json(report);
  pairs::pair_sentences(report);
  if (!pairs::pair_profile(recording, {})) std::abort();
}

void look_at_touched(const Recording& recording) {
  std::vector<memory::TouchedReport> reports = memory::touched_reports(recording);
  memory::touched_text(recording, reports, {});
  memory::touched_json(reports);
  for (const memory::TouchedReport& report : reports) memory::touched_sentence(report, 1 << 30);
  if (!memory::touched_profile(recording, {})) std::abort();
}

void look_at_threads(const Recording& recording) {
  if (thread_report(recording) && !thread_profile(recording)) std::abort();
  if (!threads_of(recording).ticks.empty()) {
    ThreadSitesReport sites = thread_sites(recording);
    if (thread_sites_profile(recording).samples.size() > sites.sites.size()) std::abort();
  }
  LockReport locks = lock_report(recording, nullptr);
  lock_waits_text(locks, {});
  lock_waits_json(locks);
  lock_wait_sentences(locks);
  const LockWaits& waits = threads_of(recording).lock_waits;
  if (lock_profile(recording).samples.size() > waits.waits.size() + waits.holds.size()) std::abort();
  blocked_report(recording);
  blocked_profile(recording);
  if (look_summaries(recording).size() > threads_of(recording).looks.size()) std::abort();
}

void look_at_clocks(const Recording& recording) {
  Result<ClocksReport> report = clocks_report(recording);
  if (report) clocks_profile(*report);
}

void look_at_go(const Recording& recording) {
  go_reports(recording);
  go_diff(recording, recording);
  if (!go_of(recording).looks.empty()) report_of(recording, go_of(recording).looks.back());
  (void)goroutine_profile(recording);
  (void)go_heap_profile(recording);
  for (GoProfileKind kind : {GoProfileKind::kMutex, GoProfileKind::kBlock})
    (void)go_contention_profile(recording, kind);
  if (go_of(recording).allocs) go_allocs_report(recording), go_allocs_profile(recording);
  if (go_of(recording).parks) go_parks_report(recording), go_parks_profile(recording);
  if (go_of(recording).contexts) go_contexts_report(recording), go_contexts_profile(recording);
}

void read_and_look(std::span<const std::byte> file) {
  Result<Recording> recording = parse_recording(file, "fuzz");
  if (!recording) return;
  look_at(*recording);
  look_at_touched(*recording);
  look_at_descriptors(*recording);
  look_at_pairs(*recording);
  look_at_threads(*recording);
  look_at_clocks(*recording);
  look_at_go(*recording);
}

}  // namespace
}  // namespace dwell

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::span<const std::byte> rest = std::as_bytes(std::span(data, size)).subspan(1);
  if (data[0] == 'F') {
    dwell::read_and_look(rest);
  } else {
    std::string file = dwell::file_from_script(rest);
    dwell::read_and_look(std::as_bytes(std::span(file)));
  }
  return 0;
}
