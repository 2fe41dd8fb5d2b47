// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/recorded.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "userspace/memory/part.h"
#include "userspace/recording/bytes.h"

namespace dwell::memory::windows {
namespace {

constexpr const char* kNoSuchSeries = "it names a series that was not told before";
constexpr const char* kNoSuchProcess = "it names a process that was not told before";
constexpr const char* kNoNumber = "an estimate in it is no number";

// The bits of a double, most significant byte last: of whole numbers most bytes are 0, which compresses well.
void put_real(std::string& out, double value) {
  auto bits = std::bit_cast<std::uint64_t>(value);
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(bits >> shift);
}

// Estimates are finite and not negative: what is not, makes the chunk wrong.
double get_real(Cursor& in, bool& wrong) {
  std::uint64_t bits = in.u64();
  double value = std::bit_cast<double>(bits);
  wrong |= !std::isfinite(value) || value < 0 || value > 1e30;
  return wrong ? 0 : value;
}

enum RetainedFlag : std::uint64_t { kIdentity = 1, kAnchored = 2 };

bool get_slots(Cursor& in, std::vector<ProcessSlot>& slots, std::size_t processes) {
  slots.resize(get_count<ProcessSlot>(in));
  for (ProcessSlot& process : slots) {
    std::uint64_t slot = in.uleb();
    if (slot >= processes) return false;
    process = static_cast<ProcessSlot>(slot);
  }
  return true;
}

template <typename Row>
std::string get_series(Cursor& in, std::vector<Row>& rows, std::size_t series_count) {
  std::uint64_t series = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::uint64_t step = in.uleb();
    if (step > series_count || (i && step == 0)) return kNoSuchSeries;
    series += step;
    if (series >= series_count) return kNoSuchSeries;
    rows[i].series = static_cast<std::uint32_t>(series);
  }
  return "";
}

template <typename Row>
void put_series(std::string& out, const std::vector<Row>& rows) {
  put_uleb(out, rows.size());
  std::uint32_t before = 0;
  for (const Row& row : rows) put_uleb(out, row.series - before), before = row.series;
}

}  // namespace

std::string encode_windows(double percent, const WindowTick& tick) {
  std::string out;
  put_real(out, percent);
  put_uleb(out, tick.start_ns);
  put_uleb(out, tick.end_ns - tick.start_ns);
  put_uleb(out, tick.processes.size());
  for (const WindowsOfProcess& one : tick.processes) {
    for (std::uint64_t value : {std::uint64_t{one.process}, one.windows, one.cut, one.covered_ns, one.stood_for_ns, one.lasted_ns})
      put_uleb(out, value);
    put_real(out, one.rates);
    put_real(out, one.squared_rates);
    for (std::uint64_t value : {one.own.covered_ns, one.own.lasted_ns, one.own.elapsed_ns, one.own.passed_ns, one.own.cost_ns}) put_uleb(out, value);
  }
  put_series(out, tick.rows);
  for (const WindowRow& row : tick.rows)
    for (double value : {row.blocks, row.bytes, row.blocks_variance, row.bytes_variance}) put_real(out, value);
  put_series(out, tick.given_up);
  for (const GivenUpRow& row : tick.given_up) put_uleb(out, row.blocks), put_uleb(out, row.bytes);
  return out;
}

std::string decode_windows(Cursor& in, Recording& out) {
  MemoryPart& memory = memory_of(out);
  bool wrong = false;
  WindowTick tick;
  double percent = get_real(in, wrong);
  tick.start_ns = in.uleb();
  std::uint64_t lasted = in.uleb();
  if (lasted > ~std::uint64_t{0} - tick.start_ns) return "it ends before it starts";
  tick.end_ns = tick.start_ns + lasted;
  tick.processes.resize(get_count<WindowsOfProcess>(in));
  for (WindowsOfProcess& one : tick.processes) {
    std::uint64_t process = in.uleb();
    if (process >= out.processes.size()) return kNoSuchProcess;
    one.process = static_cast<ProcessSlot>(process);
    one.windows = in.uleb();
    one.cut = in.uleb();
    one.covered_ns = in.uleb();
    one.stood_for_ns = in.uleb();
    one.lasted_ns = in.uleb();
    one.rates = get_real(in, wrong);
    one.squared_rates = get_real(in, wrong);
    for (std::uint64_t* value : {&one.own.covered_ns, &one.own.lasted_ns, &one.own.elapsed_ns, &one.own.passed_ns, &one.own.cost_ns}) *value = in.uleb();
  }
  tick.rows.resize(get_count<WindowRow>(in));
  if (std::string bad = get_series(in, tick.rows, memory.series.size()); !bad.empty()) return bad;
  for (WindowRow& row : tick.rows)
    for (double* value : {&row.blocks, &row.bytes, &row.blocks_variance, &row.bytes_variance}) *value = get_real(in, wrong);
  tick.given_up.resize(get_count<GivenUpRow>(in));
  if (std::string bad = get_series(in, tick.given_up, memory.series.size()); !bad.empty()) return bad;
  for (GivenUpRow& row : tick.given_up) row.blocks = in.uleb(), row.bytes = in.uleb();
  if (!in.ok()) return kTooShort;
  if (wrong) return kNoNumber;
  memory.windows.percent = percent;
  memory.windows.ticks.push_back(std::move(tick));
  return "";
}

std::string encode_retained(const RetainedSet& retained) {
  std::string out;
  put_uleb(out, retained.time_ns);
  put_uleb(out, retained.unknown.size());
  for (ProcessSlot process : retained.unknown) put_uleb(out, process);
  put_series(out, retained.rows);
  for (const RetainedRow& row : retained.rows) {
    for (double value : {row.bytes, row.low, row.high, row.blocks}) put_real(out, value);
    put_uleb(out, (row.identity ? kIdentity : 0u) | (row.anchored ? kAnchored : 0u));
    put_uleb(out, row.oldest_ns);
  }
  put_uleb(out, retained.walked.size());
  for (ProcessSlot process : retained.walked) put_uleb(out, process);
  put_uleb(out, retained.unnamed.size());
  for (const UnnamedRow& row : retained.unnamed) {
    put_uleb(out, row.process);
    put_uleb(out, row.usable);
    put_real(out, row.bytes);
  }
  return out;
}

std::string decode_retained(Cursor& in, Recording& out) {
  MemoryPart& memory = memory_of(out);
  bool wrong = false;
  RetainedSet retained;
  retained.time_ns = in.uleb();
  if (!get_slots(in, retained.unknown, out.processes.size())) return kNoSuchProcess;
  retained.rows.resize(get_count<RetainedRow>(in));
  if (std::string bad = get_series(in, retained.rows, memory.series.size()); !bad.empty()) return bad;
  for (RetainedRow& row : retained.rows) {
    for (double* value : {&row.bytes, &row.low, &row.high, &row.blocks}) *value = get_real(in, wrong);
    std::uint64_t flags = in.uleb();
    row.identity = flags & kIdentity;
    row.anchored = flags & kAnchored;
    row.oldest_ns = in.uleb();
    wrong |= row.low > row.bytes || row.high < row.bytes;
  }
  if (!in.at_end()) {  // recordings of the first version end here
    if (!get_slots(in, retained.walked, out.processes.size())) return kNoSuchProcess;
    retained.unnamed.resize(get_count<UnnamedRow>(in));
    for (UnnamedRow& row : retained.unnamed) {
      std::uint64_t slot = in.uleb();
      if (slot >= out.processes.size()) return kNoSuchProcess;
      row = {static_cast<ProcessSlot>(slot), in.uleb(), get_real(in, wrong)};
    }
  }
  if (!in.ok()) return kTooShort;
  if (wrong) return kNoNumber;
  memory.windows.retained = std::move(retained);
  return "";
}

}  // namespace dwell::memory::windows
