// SPDX-License-Identifier: Apache-2.0
// Codec of timers and contexts. Each group has its length in front: what a later version adds is skipped.
#include "userspace/go/codec.h"
#include "userspace/go/record/fields.h"
#include "userspace/go/record/held.h"

namespace dwell {
namespace {

constexpr std::uint64_t kInlined = 1, kHidden = 2;

void put_call(std::string& out, const GoCall& call) {
  put_text(out, call.function);
  put_text(out, call.file);
  put_uleb(out, call.line);
  put_uleb(out, (call.inlined ? kInlined : 0) | (call.hidden ? kHidden : 0));
}

GoCall get_call(Cursor& in) {
  GoCall call;
  call.function = get_text(in);
  call.file = get_text(in);
  call.line = static_cast<std::uint32_t>(in.uleb());
  std::uint64_t flags = in.uleb();
  call.inlined = flags & kInlined;
  call.hidden = flags & kHidden;
  return call;
}

void put_calls(std::string& out, const std::vector<GoCall>& calls) {
  put_uleb(out, calls.size());
  for (const GoCall& call : calls) put_call(out, call);
}

std::vector<GoCall> get_calls(Cursor& in) {
  std::vector<GoCall> calls;
  for (std::size_t left = get_count<GoCall>(in); left > 0 && in.ok(); --left) calls.push_back(get_call(in));
  return calls;
}

// A list of things, each with its length in front.
template <typename T, typename Put>
void put_list(std::string& out, const std::vector<T>& list, Put put) {
  put_uleb(out, list.size());
  for (const T& one : list) {
    std::string bytes;
    put(bytes, one);
    put_text(out, bytes);
  }
}

template <typename T, typename Get>
std::vector<T> get_list(Cursor& in, Get get) {
  std::vector<T> list;
  for (std::size_t left = get_count<T>(in); left > 0 && in.ok(); --left) {
    Cursor one(get_text(in));
    list.push_back(get(one));
    if (!one.ok()) in.fail();
  }
  return list;
}

void put_timer_group(std::string& out, const GoTimerGroup& group) {
  put_uleb(out, static_cast<std::uint64_t>(group.kind));
  put_text(out, group.callback);
  put_uleb(out, group.period_ns);
  put_call(out, group.function);
  put_calls(out, group.calls);
  put_call(out, group.creator);
  for (std::uint64_t figure : {group.count, group.soonest_ns, group.latest_ns, std::uint64_t{group.waited_for}, group.not_taken})
    put_uleb(out, figure);
  put_optional(out, group.useless);
}

GoTimerGroup get_timer_group(Cursor& in) {
  GoTimerGroup group;
  std::uint64_t kind = in.uleb();
  group.kind = kind <= static_cast<std::uint64_t>(GoTimerKind::kOther) ? static_cast<GoTimerKind>(kind) : GoTimerKind::kOther;
  group.callback = get_text(in);
  group.period_ns = in.uleb();
  group.function = get_call(in);
  group.calls = get_calls(in);
  group.creator = get_call(in);
  group.count = in.uleb();
  group.soonest_ns = in.uleb();
  group.latest_ns = in.uleb();
  group.waited_for = in.uleb() != 0;
  group.not_taken = in.uleb();
  get_optional(in, group.useless);
  return group;
}

std::string encode_timers(const TimerReport& timers) {
  std::string out;
  for (std::uint64_t figure : {timers.pending, timers.torn, timers.useless_tickers, timers.useless_timers}) put_uleb(out, figure);
  put_list(out, timers.groups, put_timer_group);
  put_list(out, timers.makers, [](std::string& bytes, const TimerMaker& maker) {
    put_calls(bytes, maker.calls);
    put_difference(bytes, static_cast<std::uint64_t>(maker.in_use_bytes));
  });
  return out;
}

bool decode_timers(std::string_view bytes, TimerReport& timers) {
  Cursor in(bytes);
  for (std::uint64_t* figure : {&timers.pending, &timers.torn, &timers.useless_tickers, &timers.useless_timers}) *figure = in.uleb();
  timers.groups = get_list<GoTimerGroup>(in, get_timer_group);
  timers.makers = get_list<TimerMaker>(in, [](Cursor& one) {
    TimerMaker maker;
    maker.calls = get_calls(one);
    maker.in_use_bytes = static_cast<std::int64_t>(get_difference(one));
    return maker;
  });
  return in.ok();
}

void put_context_group(std::string& out, const GoContextGroup& group) {
  put_uleb(out, static_cast<std::uint64_t>(group.kind));
  put_text(out, group.parents);
  for (std::uint64_t figure : {std::uint64_t{group.has_parent}, group.count, group.children, std::uint64_t{group.waited_for}})
    put_uleb(out, figure);
  put_optional(out, group.soonest_ns);
  put_optional(out, group.latest_ns);
  put_calls(out, group.calls);
  put_call(out, group.creator);
  put_optional(out, group.lost);
}

GoContextGroup get_context_group(Cursor& in) {
  GoContextGroup group;
  std::uint64_t kind = in.uleb();
  group.kind = kind <= static_cast<std::uint64_t>(GoContextKind::kAfter) ? static_cast<GoContextKind>(kind) : GoContextKind::kOther;
  group.parents = get_text(in);
  group.has_parent = in.uleb() != 0;
  group.count = in.uleb();
  group.children = in.uleb();
  group.waited_for = in.uleb() != 0;
  get_optional(in, group.soonest_ns);
  get_optional(in, group.latest_ns);
  group.calls = get_calls(in);
  group.creator = get_call(in);
  get_optional(in, group.lost);
  return group;
}

std::string encode_alive_contexts(const ContextReport& contexts) {
  std::string out;
  put_uleb(out, contexts.alive);
  put_uleb(out, contexts.lost);
  put_list(out, contexts.groups, put_context_group);
  return out;
}

bool decode_alive_contexts(std::string_view bytes, ContextReport& contexts) {
  Cursor in(bytes);
  contexts.alive = in.uleb();
  contexts.lost = in.uleb();
  contexts.groups = get_list<GoContextGroup>(in, get_context_group);
  return in.ok();
}

void put_finding(std::string& out, const Finding& finding) {
  put_uleb(out, static_cast<std::uint64_t>(finding.weight));
  put_uleb(out, finding.proved);
  put_text(out, finding.headline);
  put_texts(out, finding.evidence);
  put_text(out, finding.command);
}

Finding get_finding(Cursor& in) {
  Finding finding;
  std::uint64_t weight = in.uleb();
  if (weight < static_cast<std::uint64_t>(FindingWeight::kWaste)) finding.weight = static_cast<FindingWeight>(weight);
  finding.proved = in.uleb() != 0;
  finding.headline = get_text(in);
  finding.evidence = get_texts(in);
  finding.command = get_text(in);
  return finding;
}

void put_holder(std::string& out, const GoHolderRow& row) {
  put_uleb(out, static_cast<std::uint64_t>(row.kind));
  put_text(out, row.name);
  put_call(out, row.place);
  for (std::uint64_t figure : {row.address, std::uint64_t{row.fills}, row.bytes, row.objects, row.map_length, row.slice_length, row.goroutines, row.goroutine})
    put_uleb(out, figure);
}

GoHolderRow get_holder(Cursor& in) {
  GoHolderRow row;
  std::uint64_t kind = in.uleb();
  if (kind <= static_cast<std::uint64_t>(GoHolderKind::kFinalizers)) row.kind = static_cast<GoHolderKind>(kind);
  row.name = get_text(in);
  row.place = get_call(in);
  row.address = in.uleb();
  row.fills = in.uleb() != 0;
  for (std::uint64_t* figure : {&row.bytes, &row.objects, &row.map_length, &row.slice_length, &row.goroutines, &row.goroutine}) *figure = in.uleb();
  return row;
}

}  // namespace

std::string encode_go_held(const GoHeld& held) {
  std::string out;
  put_uleb(out, held.time_ns);
  put_uleb(out, held.process);
  put_text(out, held.timers ? encode_timers(*held.timers) : "");
  put_text(out, held.contexts ? encode_alive_contexts(*held.contexts) : "");
  put_list(out, held.findings, put_finding);
  put_texts(out, held.not_seen);
  put_list(out, held.holders, put_holder);
  put_uleb(out, held.reached_bytes);
  return out;
}

std::string decode_go_held(Cursor& in, Recording& out) {
  GoHeld held;
  held.time_ns = in.uleb();
  std::uint64_t process = in.uleb();
  std::string_view timers = get_text(in), contexts = get_text(in);
  if (!in.ok()) return kTooShort;
  if (process >= out.processes.size()) return fmt::format("process {} of {}", process, out.processes.size());
  held.process = static_cast<ProcessSlot>(process);
  if (!timers.empty() && !decode_timers(timers, held.timers.emplace())) return kTooShort;
  if (!contexts.empty() && !decode_alive_contexts(contexts, held.contexts.emplace())) return kTooShort;
  if (!in.at_end()) {  // else of an older recording
    held.findings = get_list<Finding>(in, get_finding);
    held.not_seen = get_texts(in);
  }
  if (!in.at_end()) {
    held.holders = get_list<GoHolderRow>(in, get_holder);
    held.reached_bytes = in.uleb();
  }
  if (!in.ok()) return kTooShort;
  go_of(out).held.push_back(std::move(held));
  return "";
}

}  // namespace dwell
