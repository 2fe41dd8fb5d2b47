// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/authors.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "userspace/process/process.h"

namespace dwell {
namespace {

ClockStepKind kind_of(const LedgerEntry& entry) {
  switch (entry.kind) {
    case ClockMove::Kind::kStep:
      return ClockStepKind::kStep;
    case ClockMove::Kind::kSlew:
      return entry.author ? ClockStepKind::kSetting : ClockStepKind::kSlew;
    case ClockMove::Kind::kLeap:
      return ClockStepKind::kLeap;
    case ClockMove::Kind::kSuspend:
      return ClockStepKind::kSuspend;
  }
  return ClockStepKind::kStep;
}

std::string describe(const LedgerEntry& entry) {
  if (entry.author) return describe_set(*entry.author);
  switch (entry.kind) {
    case ClockMove::Kind::kStep:
      return "step";
    case ClockMove::Kind::kSlew:
      return fmt::format("slew: now {:+.1f} ppm", entry.rate_ppm);
    case ClockMove::Kind::kLeap:
      return "leap second";
    case ClockMove::Kind::kSuspend:
      return "the machine was suspended";
  }
  return "";
}

// The frames as a stack that a book can name.
std::vector<ReportFrame> name_frames(const dwell_clock_set_record& record) {
  Result<std::vector<Mapping>> mappings = read_maps(static_cast<pid_t>(record.tgid));
  std::uint32_t count = 0;
  while (count < DWELL_SETTER_FRAMES && record.pcs[count]) ++count;
  if (!mappings || !count) return {};
  std::vector<std::uint64_t> words(sizeof(dwell_stack_record) / sizeof(std::uint64_t) + count);
  auto* stack = reinterpret_cast<dwell_stack_record*>(words.data());
  stack->h.type = DWELL_STACK;
  stack->stack = 1;
  stack->count = count;
  stack->exact[0] = 1;
  std::copy(record.pcs, record.pcs + count, words.end() - count);
  StackBook book(static_cast<pid_t>(record.tgid), std::move(*mappings));
  book.learn(words.data(), words.size() * sizeof(std::uint64_t));
  return book.name(book.id_of(1)).frames;
}

}  // namespace

ClockAuthor describe_author(const dwell_clock_set_record& record) {
  ClockAuthor author;
  if (Result<ProcessFacts> facts = read_process(static_cast<pid_t>(record.tgid)))
    author.container = facts->container;
  if (!record.stack) author.stack = name_frames(record);
  return author;
}

void add_steps(ClockLook& look, const StepLedger& ledger, const std::vector<ClockAuthor>& authors,
               const std::function<StackId(std::uint64_t identity)>& id_of) {
  std::size_t call = 0;
  for (const LedgerEntry& entry : ledger.entries()) {
    ClockStepFacts& step = look.steps.emplace_back();
    step.kind = kind_of(entry);
    step.time_ns = entry.time_ns;
    step.size_ns = entry.size_ns;
    step.what = describe(entry);
    if (!entry.author) continue;
    const dwell_clock_set_record& record = *entry.author;
    step.pid = record.tgid;
    step.uid = record.uid;
    step.command.assign(record.comm, strnlen(record.comm, sizeof record.comm));
    step.result = record.result;
    if (record.stack) step.stack = id_of(record.stack);
    if (call < authors.size()) step.container = authors[call].container;
    ++call;
  }
}

}  // namespace dwell
