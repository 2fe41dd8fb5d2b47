// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/holding_codec.h"

#include <algorithm>

#include "userspace/memory/part.h"
#include "userspace/recording/bytes.h"

namespace dwell {
namespace {

void put_row(std::string& out, const HeldRow& row, std::uint32_t& before) {
  put_uleb(out, row.series - before);
  before = row.series;
  for (std::uint64_t value : {row.bytes, row.lost_bytes, row.blocks, row.lost_blocks}) put_uleb(out, value);
  put_uleb(out, row.by.size());
  for (const HeldBy& one : row.by) {
    put_uleb(out, one.holder);
    put_uleb(out, one.bytes);
  }
}

std::string get_row(Cursor& in, HeldRow& row, std::uint64_t& series, std::size_t series_count, std::size_t holders) {
  std::uint64_t step = in.uleb();
  if (step > series_count || (series += step) >= series_count) return "it names a series that was not told before";
  row.series = static_cast<std::uint32_t>(series);
  for (std::uint64_t* value : {&row.bytes, &row.lost_bytes, &row.blocks, &row.lost_blocks}) *value = in.uleb();
  if (row.lost_bytes > row.bytes || row.lost_blocks > row.blocks) return "it loses more than there was";
  row.by.resize(get_count<HeldBy>(in));
  for (HeldBy& one : row.by) {
    std::uint64_t holder = in.uleb();
    if (holder >= holders) return "it names a holder that it does not tell";
    one = {static_cast<std::uint32_t>(holder), in.uleb()};
  }
  return "";
}

}  // namespace

std::string encode_holding(ProcessSlot process, const Holding& holding) {
  std::string out;
  put_uleb(out, process);
  put_uleb(out, holding.time_ns);
  put_uleb(out, holding.looks);
  put_text(out, holding.unsettled);
  for (std::uint64_t value : {holding.live_blocks, holding.live_bytes, holding.lost_blocks, holding.lost_bytes}) put_uleb(out, value);
  put_uleb(out, holding.holders.size());
  for (const std::string& name : holding.holders) put_text(out, name);
  put_uleb(out, holding.rows.size());
  std::uint32_t before = 0;
  for (const HeldRow& row : holding.rows) put_row(out, row, before);
  return out;
}

std::string decode_holding(Cursor& in, Recording& out) {
  std::uint64_t process = in.uleb();
  if (process >= out.processes.size()) return "it names a process that was not told before";
  MemoryPart& memory = memory_of(out);
  Holding holding;
  holding.time_ns = in.uleb();
  holding.looks = in.uleb();
  holding.unsettled = get_text(in);
  for (std::uint64_t* value : {&holding.live_blocks, &holding.live_bytes, &holding.lost_blocks, &holding.lost_bytes}) *value = in.uleb();
  holding.holders.resize(get_count<std::string>(in));
  for (std::string& name : holding.holders) name = get_text(in);
  holding.rows.resize(get_count<HeldRow>(in));
  std::uint64_t series = 0;
  for (HeldRow& row : holding.rows)
    if (std::string wrong = get_row(in, row, series, memory.series.size(), holding.holders.size()); !wrong.empty()) return wrong;
  if (!in.ok()) return kTooShort;
  if (memory.holding.size() <= process) {
    if (!DecodeBudget::take(process + 1 - memory.holding.size(), sizeof(Holding))) return "it is too large";
    memory.holding.resize(process + 1);
  }
  memory.holding[process] = std::move(holding);
  return "";
}

}  // namespace dwell
