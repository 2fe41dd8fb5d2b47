// SPDX-License-Identifier: Apache-2.0
// Codec of looks at clocks. Each thing has its length in front, so that a later version can say more of it.
#include <fmt/core.h>

#include <bit>

#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"
#include "userspace/clocks/part.h"
#include "userspace/clocks/codec.h"

namespace dwell {

namespace {

// The same list of fields writes and reads: no field can be in one and not in the other.
class FieldWriter {
 public:
  std::string out;
  void operator()(std::uint64_t value) { put_uleb(out, value); }
  void operator()(std::uint32_t value) { put_uleb(out, value); }
  void operator()(std::uint16_t value) { put_uleb(out, value); }
  void operator()(std::uint8_t value) { put_uleb(out, value); }
  void operator()(bool value) { put_uleb(out, value); }
  void operator()(std::int64_t value) { put_difference(out, static_cast<std::uint64_t>(value)); }
  void operator()(double value) {
    std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    out.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  }
  void operator()(const std::string& value) { put_text(out, value); }
  void operator()(StackId value) { put_uleb(out, static_cast<std::uint64_t>(value)); }
  void operator()(ClockStepKind value) { put_uleb(out, static_cast<std::uint64_t>(value)); }
  void operator()(const TimeHistogram& histogram) {
    for (std::uint64_t count : histogram) put_uleb(out, count);
  }
};

class FieldReader {
 public:
  FieldReader(std::string_view bytes, const Recording& recording) : in_(bytes), recording_(recording) {}
  bool ok() const { return in_.ok() && !bad_stack_; }
  bool bad_stack() const { return bad_stack_; }

  void operator()(std::uint64_t& value) { value = in_.uleb(); }
  void operator()(std::uint32_t& value) { value = static_cast<std::uint32_t>(in_.uleb()); }
  void operator()(std::uint16_t& value) { value = static_cast<std::uint16_t>(in_.uleb()); }
  void operator()(std::uint8_t& value) { value = static_cast<std::uint8_t>(in_.uleb()); }
  void operator()(bool& value) { value = in_.uleb() != 0; }
  void operator()(std::int64_t& value) { value = static_cast<std::int64_t>(get_difference(in_)); }
  void operator()(double& value) { value = std::bit_cast<double>(in_.u64()); }
  void operator()(std::string& value) { value = get_text(in_); }
  void operator()(StackId& value) {
    std::uint64_t stack = in_.uleb();
    bad_stack_ |= stack >= recording_.stacks.size();
    value = static_cast<StackId>(bad_stack_ ? 0 : stack);
  }
  void operator()(ClockStepKind& value) {
    std::uint64_t kind = in_.uleb();
    value = kind < static_cast<std::uint64_t>(ClockStepKind::kKinds) ? static_cast<ClockStepKind>(kind)
                                                                     : ClockStepKind::kSetting;
  }
  void operator()(TimeHistogram& histogram) {
    for (std::uint64_t& count : histogram) count = in_.uleb();
  }

 private:
  Cursor in_;
  const Recording& recording_;
  bool bad_stack_ = false;
};

template <typename Facts, typename Visit>
void fields(Facts& f, Visit& visit) requires std::is_same_v<std::remove_const_t<Facts>, ClockReadFacts> {
  visit(f.stack), visit(f.process), visit(f.call), visit(f.clock), visit(f.sampled), visit(f.counted);
  visit(f.per_second), visit(f.error), visit(f.cpu_percent);
}
template <typename Facts, typename Visit>
void fields(Facts& f, Visit& visit) requires std::is_same_v<std::remove_const_t<Facts>, ClockWaitFacts> {
  visit(f.stack), visit(f.process), visit(f.call), visit(f.clock), visit(f.absolute), visit(f.count);
  visit(f.timed_out), visit(f.spanned_step), visit(f.asked_ns), visit(f.got_ns), visit(f.over_ns);
  visit(f.max_over_ns), visit(f.max_over_asked_ns), visit(f.max_over_tid), visit(f.max_over_thread);
  visit(f.under_way), visit(f.under_way_over_ns), visit(f.over);
}
template <typename Facts, typename Visit>
void fields(Facts& f, Visit& visit) requires std::is_same_v<std::remove_const_t<Facts>, ClockIntervalFacts> {
  visit(f.first), visit(f.second), visit(f.process), visit(f.count), visit(f.total_ns), visit(f.max_ns);
  visit(f.spanned_step), visit(f.spanned_by_ns), visit(f.lengths);
}
template <typename Facts, typename Visit>
void fields(Facts& f, Visit& visit) requires std::is_same_v<std::remove_const_t<Facts>, ClockStepFacts> {
  visit(f.kind), visit(f.time_ns), visit(f.size_ns), visit(f.result), visit(f.what), visit(f.pid),
      visit(f.uid);
  visit(f.command), visit(f.container), visit(f.stack);
}
template <typename Facts, typename Visit>
void fields(Facts& f, Visit& visit) requires std::is_same_v<std::remove_const_t<Facts>, KernelClockState> {
  visit(f.known), visit(f.synchronised), visit(f.offset_ns), visit(f.frequency_ppm), visit(f.max_error_us);
  visit(f.tai_offset_s), visit(f.leap), visit(f.clocksource);
}
template <typename Facts, typename Visit>
void fields(Facts& f, Visit& visit) requires std::is_same_v<std::remove_const_t<Facts>, ClockLook> {
  visit(f.time_ns), visit(f.duration_ns), visit(f.watched_ns), visit(f.windows), visit(f.probe_hits);
  visit(f.trap_ns), visit(f.bpf_ns), visit(f.samples), visit(f.samples_in_vdso);
}

template <typename Facts>
void put(std::string& out, const Facts& facts) {
  FieldWriter writer;
  fields(facts, writer);
  put_text(out, writer.out);
}
template <typename Facts>
void put_all(std::string& out, const std::vector<Facts>& all) {
  put_uleb(out, all.size());
  for (const Facts& facts : all) put(out, facts);
}

template <typename Facts>
std::string get(Cursor& in, const Recording& recording, Facts& facts) {
  FieldReader reader(get_text(in), recording);
  fields(facts, reader);
  if (reader.bad_stack()) return "it names a stack that is not there";
  return in.ok() && reader.ok() ? "" : kTooShort;
}
// Grown one by one: a number that lies fails at the first of them that is not there.
template <typename Facts>
std::string get_all(Cursor& in, const Recording& recording, std::vector<Facts>& all) {
  for (std::size_t left = get_count<Facts>(in); left > 0; --left)
    if (std::string wrong = get(in, recording, all.emplace_back()); !wrong.empty()) return wrong;
  return in.ok() ? "" : kTooShort;
}

}  // namespace

std::string encode_clocks(const ClockLook& look) {
  std::string out;
  put(out, look);
  put(out, look.kernel);
  put_all(out, look.reads);
  put_all(out, look.waits);
  put_all(out, look.intervals);
  put_all(out, look.steps);
  put_texts(out, look.notes);
  return out;
}

std::string decode_clocks(Cursor& in, Recording& out) {
  ClockLook look;
  std::string wrong = get(in, out, look);
  if (wrong.empty()) wrong = get(in, out, look.kernel);
  if (wrong.empty()) wrong = get_all(in, out, look.reads);
  if (wrong.empty()) wrong = get_all(in, out, look.waits);
  if (wrong.empty()) wrong = get_all(in, out, look.intervals);
  if (wrong.empty()) wrong = get_all(in, out, look.steps);
  if (!wrong.empty()) return wrong;
  look.notes = get_texts(in);
  if (!in.ok()) return kTooShort;
  clocks_of(out).look = std::move(look);
  return "";
}

}  // namespace dwell
