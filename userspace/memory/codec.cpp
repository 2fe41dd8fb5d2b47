// SPDX-License-Identifier: Apache-2.0
// Series, ticks and live blocks as columns of varints.
//
// A call site mostly asks for one size, so bytes are told as what is left when blocks x mean size is taken
// away: mostly 0, which compresses to nothing.
#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "userspace/memory/codec.h"
#include "userspace/memory/part.h"
#include "userspace/recording/bytes.h"
#include "userspace/memory/codec.h"

namespace dwell {

namespace {

constexpr const char* kNoSuchSeries = "it names a series that was not told before";
constexpr std::uint64_t kMicrosecond = 1000;

std::uint64_t mean_size(const TickRow& row) { return row.allocs ? row.alloc_bytes / row.allocs : 0; }

// Both rows and lifetimes ascend by series, so a lifetime's row is never before that of the one before.
class MeanSizes {
 public:
  explicit MeanSizes(const std::vector<TickRow>& rows) : rows_(rows) {}
  std::uint64_t of(std::uint32_t series) {
    while (next_ < rows_.size() && rows_[next_].series < series) ++next_;
    return next_ < rows_.size() && rows_[next_].series == series ? mean_size(rows_[next_]) : 0;
  }

 private:
  const std::vector<TickRow>& rows_;
  std::size_t next_ = 0;
};

template <typename Row>
void put_series_column(std::string& out, const std::vector<Row>& rows) {
  std::uint32_t previous = 0;
  for (const Row& row : rows) {
    put_uleb(out, row.series - previous);
    previous = row.series;
  }
}

// false: a series that is not there.
template <typename Row>
bool get_series_column(Cursor& in, std::vector<Row>& rows, std::size_t series_count) {
  std::uint64_t series = 0;
  for (Row& row : rows) {
    std::uint64_t step = in.uleb();
    if (step > series_count) return false;
    series += step;
    if (series >= series_count) return false;
    row.series = static_cast<std::uint32_t>(series);
  }
  return true;
}

void put_rows(std::string& out, const std::vector<TickRow>& rows) {
  put_uleb(out, rows.size());
  put_series_column(out, rows);
  for (const TickRow& row : rows) put_uleb(out, row.allocs);
  for (const TickRow& row : rows) put_uleb(out, mean_size(row));
  for (const TickRow& row : rows) put_uleb(out, row.alloc_bytes - row.allocs * mean_size(row));
  for (const TickRow& row : rows) put_difference(out, row.frees - row.allocs);
  for (const TickRow& row : rows) put_difference(out, row.freed_bytes - row.frees * mean_size(row));
  for (const TickRow& row : rows) put_difference(out, static_cast<std::uint64_t>(row.peak_blocks));
  for (const TickRow& row : rows) {
    std::uint64_t expected = static_cast<std::uint64_t>(row.peak_blocks) * mean_size(row);
    put_difference(out, static_cast<std::uint64_t>(row.peak_bytes) - expected);
  }
}

std::string get_rows(Cursor& in, std::vector<TickRow>& rows, std::size_t series_count) {
  rows.resize(get_count<TickRow>(in));
  if (!get_series_column(in, rows, series_count)) return kNoSuchSeries;
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (rows[i].series <= rows[i - 1].series) return "it tells a series twice";
  for (TickRow& row : rows) row.allocs = in.uleb();
  std::vector<std::uint64_t> means(rows.size());
  for (std::uint64_t& mean : means) mean = in.uleb();
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].alloc_bytes = rows[i].allocs * means[i] + in.uleb();
  for (TickRow& row : rows) row.frees = row.allocs + get_difference(in);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i].freed_bytes = rows[i].frees * means[i] + get_difference(in);
  for (TickRow& row : rows) row.peak_blocks = static_cast<std::int64_t>(get_difference(in));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::uint64_t expected = static_cast<std::uint64_t>(rows[i].peak_blocks) * means[i];
    rows[i].peak_bytes = static_cast<std::int64_t>(expected + get_difference(in));
  }
  return "";
}

void put_scaled(std::string& out, const std::vector<ScaledRow>& rows) {
  put_uleb(out, rows.empty() ? 0 : 1);
  for (const ScaledRow& row : rows) put_uleb(out, row.allocated.blocks);
  for (const ScaledRow& row : rows) put_uleb(out, row.allocated.bytes);
  for (const ScaledRow& row : rows) put_uleb(out, row.allocated.variance);
  for (const ScaledRow& row : rows) put_difference(out, row.freed.blocks - row.allocated.blocks);
  for (const ScaledRow& row : rows) put_difference(out, row.freed.bytes - row.allocated.bytes);
  for (const ScaledRow& row : rows) put_difference(out, row.freed.variance - row.allocated.variance);
}

void get_scaled(Cursor& in, std::vector<ScaledRow>& rows, std::size_t count) {
  if (in.uleb() == 0 || count > in.remaining() || !DecodeBudget::take(count, sizeof(ScaledRow))) return;
  rows.resize(count);
  for (ScaledRow& row : rows) row.allocated.blocks = in.uleb();
  for (ScaledRow& row : rows) row.allocated.bytes = in.uleb();
  for (ScaledRow& row : rows) row.allocated.variance = in.uleb();
  for (ScaledRow& row : rows) row.freed.blocks = row.allocated.blocks + get_difference(in);
  for (ScaledRow& row : rows) row.freed.bytes = row.allocated.bytes + get_difference(in);
  for (ScaledRow& row : rows) row.freed.variance = row.allocated.variance + get_difference(in);
}

void put_lifetimes(std::string& out, const MemoryTick& tick) {
  put_uleb(out, tick.lifetimes.size());
  put_series_column(out, tick.lifetimes);
  for (const LifetimeRow& row : tick.lifetimes) put_uleb(out, row.log2_ns);
  for (const LifetimeRow& row : tick.lifetimes) put_uleb(out, row.blocks);
  MeanSizes means(tick.rows);
  for (const LifetimeRow& row : tick.lifetimes) put_difference(out, row.bytes - row.blocks * means.of(row.series));
}

std::string get_lifetimes(Cursor& in, MemoryTick& tick, std::size_t series_count) {
  tick.lifetimes.resize(get_count<LifetimeRow>(in));
  if (!get_series_column(in, tick.lifetimes, series_count)) return kNoSuchSeries;
  for (LifetimeRow& row : tick.lifetimes) {
    std::uint64_t log2 = in.uleb();
    if (log2 > kLongestLifetime) return "it tells an impossible lifetime";
    row.log2_ns = static_cast<std::uint8_t>(log2);
  }
  for (LifetimeRow& row : tick.lifetimes) row.blocks = in.uleb();
  MeanSizes means(tick.rows);
  for (LifetimeRow& row : tick.lifetimes) row.bytes = row.blocks * means.of(row.series) + get_difference(in);
  return "";
}

void put_moved(std::string& out, const std::vector<MovedRow>& rows) {
  put_uleb(out, rows.size());
  put_series_column(out, rows);
  for (const MovedRow& row : rows)
    for (std::int64_t value : {row.blocks, row.bytes, row.scaled_blocks, row.scaled_bytes, row.scaled_variance})
      put_difference(out, static_cast<std::uint64_t>(value));
}

std::string get_moved(Cursor& in, std::vector<MovedRow>& rows, std::size_t series_count) {
  rows.resize(get_count<MovedRow>(in));
  if (!get_series_column(in, rows, series_count)) return kNoSuchSeries;
  for (MovedRow& row : rows)
    for (std::int64_t* value : {&row.blocks, &row.bytes, &row.scaled_blocks, &row.scaled_bytes, &row.scaled_variance})
      *value = static_cast<std::int64_t>(get_difference(in));
  return "";
}

void put_peaks(std::string& out, const MemoryTick& tick) {
  put_uleb(out, tick.peaks.size());
  for (const PeakRow& peak : tick.peaks) {
    put_uleb(out, peak.process);
    put_uleb(out, static_cast<std::uint64_t>(peak.kind));
    put_difference(out, peak.time_ns - tick.start_ns);
    put_uleb(out, peak.bytes);
  }
}

std::string get_peaks(Cursor& in, MemoryTick& tick, std::size_t process_count) {
  tick.peaks.resize(get_count<PeakRow>(in));
  for (PeakRow& peak : tick.peaks) {
    std::uint64_t process = in.uleb(), kind = in.uleb();
    if (process >= process_count || kind >= kMemoryKinds) return "it tells the peak of no known process or kind";
    peak.process = static_cast<ProcessSlot>(process);
    peak.kind = static_cast<MemoryKind>(kind);
    peak.time_ns = tick.start_ns + get_difference(in);
    peak.bytes = in.uleb();
  }
  return "";
}

// Addresses of blocks are multiples of some power of two: the bits that are always 0 are not told.
int common_shift(std::span<const LiveBlock> blocks) {
  std::uint64_t bits = 0;
  for (const LiveBlock& block : blocks) bits |= block.address;
  return bits ? std::countr_zero(bits) : 0;
}

}  // namespace

std::string encode_series(std::size_t first, std::span<const Series> series) {
  std::string out;
  put_uleb(out, first);
  put_uleb(out, series.size());
  std::uint64_t previous = 0;
  for (const Series& one : series) {
    put_difference(out, static_cast<std::uint64_t>(one.stack) - previous);
    previous = static_cast<std::uint64_t>(one.stack);
  }
  for (const Series& one : series) put_uleb(out, static_cast<std::uint64_t>(one.kind));
  for (const Series& one : series) put_uleb(out, one.process);
  return out;
}

std::string decode_series(Cursor& in, Recording& out) {
  std::vector<Series>& all = memory_of(out).series;
  std::string wrong = begins_elsewhere(in.uleb(), all.size());
  if (!wrong.empty()) return wrong;
  std::size_t count = get_count<Series>(in), base = all.size();
  all.resize(base + count);
  std::span<Series> series = std::span(all).subspan(base);
  std::uint64_t stack = 0;
  for (Series& one : series) {
    stack += get_difference(in);
    if (stack >= out.stacks.size()) return "it names a stack that was not told before";
    one.stack = static_cast<StackId>(stack);
  }
  for (Series& one : series) {
    std::uint64_t kind = in.uleb();
    if (kind >= kMemoryKinds) return "it names no known kind of memory";
    one.kind = static_cast<MemoryKind>(kind);
  }
  for (Series& one : series) {
    std::uint64_t process = in.uleb();
    if (process >= out.processes.size()) return "it names a process that was not told before";
    one.process = static_cast<ProcessSlot>(process);
  }
  return in.ok() ? "" : kTooShort;
}

std::string encode_tick(const MemoryTick& tick) {
  std::string out;
  put_uleb(out, tick.start_ns);
  put_uleb(out, tick.end_ns - tick.start_ns);
  put_uleb(out, tick.events);
  put_uleb(out, tick.surprises.unknown_frees);
  put_uleb(out, tick.surprises.implied_frees);
  put_uleb(out, tick.surprises.orphan_reallocs);
  put_uleb(out, tick.surprises.refused_blocks);
  put_rows(out, tick.rows);
  put_scaled(out, tick.scaled);
  put_lifetimes(out, tick);
  put_moved(out, tick.moved);
  put_peaks(out, tick);
  put_uleb(out, tick.surprises.cache_frees);  // behind all that the first readers of this version know
  return out;
}

std::string decode_tick(Cursor& in, Recording& out) {
  MemoryPart& memory = memory_of(out);
  MemoryTick tick;
  tick.start_ns = in.uleb();
  std::uint64_t duration = in.uleb();
  if (duration > ~std::uint64_t{0} - tick.start_ns) return "it ends before it starts";
  tick.end_ns = tick.start_ns + duration;
  if (!memory.ticks.empty() && tick.start_ns < memory.ticks.back().end_ns) return "it starts before the last tick ended";
  tick.events = in.uleb();
  tick.surprises = {in.uleb(), in.uleb(), in.uleb(), in.uleb(), 0};
  std::string wrong = get_rows(in, tick.rows, memory.series.size());
  if (!wrong.empty()) return wrong;
  get_scaled(in, tick.scaled, tick.rows.size());
  wrong = get_lifetimes(in, tick, memory.series.size());
  if (wrong.empty()) wrong = get_moved(in, tick.moved, memory.series.size());
  if (wrong.empty()) wrong = get_peaks(in, tick, out.processes.size());
  if (!wrong.empty()) return wrong;
  if (in.ok() && in.remaining()) tick.surprises.cache_frees = in.uleb();
  if (!in.ok()) return kTooShort;
  if (out.sampled() && tick.scaled.size() != tick.rows.size()) return "it is of a sampled recording and not scaled";
  out.told_until_ns = std::max(out.told_until_ns, tick.end_ns);
  memory.ticks.push_back(std::move(tick));
  return "";
}

std::string encode_live(std::uint64_t time_ns, std::size_t total, std::size_t first,
                        std::span<const LiveBlock> blocks) {
  std::string out;
  int shift = common_shift(blocks);
  put_uleb(out, time_ns);
  put_uleb(out, total);
  put_uleb(out, first);
  put_uleb(out, blocks.size());
  put_uleb(out, static_cast<std::uint64_t>(shift));
  auto column = [&](auto value_of) {
    std::uint64_t before = 0;
    for (const LiveBlock& block : blocks) {
      std::uint64_t value = value_of(block);
      put_difference(out, value - before);
      before = value;
    }
  };
  column([](const LiveBlock& block) -> std::uint64_t { return block.series; });
  column([](const LiveBlock& block) { return block.birth_ns / kMicrosecond; });
  column([&](const LiveBlock& block) { return block.address >> shift; });
  column([](const LiveBlock& block) { return block.size; });
  column([](const LiveBlock& block) { return std::uint64_t{block.tid} << 1 | (block.part ? 1 : 0); });
  return out;
}

std::string decode_live(Cursor& in, Recording& out) {
  MemoryPart& memory = memory_of(out);
  LiveSet& unfinished = memory.unfinished;
  std::uint64_t time_ns = in.uleb();
  std::uint64_t total = in.uleb(), first = in.uleb();
  std::size_t count = get_count<LiveBlock>(in);
  std::uint64_t shift = in.uleb();
  if (!in.ok() || shift > 63 || first > total || count > total - first) return "its live blocks are counted wrong";
  if (first == 0) unfinished = {time_ns, {}};
  if (first != unfinished.blocks.size() || time_ns != unfinished.time_ns) return "a part of the live blocks is missing";

  unfinished.blocks.resize(first + count);
  std::span<LiveBlock> blocks = std::span(unfinished.blocks).subspan(first);
  auto column = [&](auto set) {
    std::uint64_t value = 0;
    for (LiveBlock& block : blocks) {
      value += get_difference(in);
      set(block, value);
    }
  };
  bool known = true;
  column([&](LiveBlock& block, std::uint64_t value) {
    known = known && value < memory.series.size();
    block.series = static_cast<std::uint32_t>(value);
  });
  column([](LiveBlock& block, std::uint64_t value) { block.birth_ns = value * kMicrosecond; });
  column([&](LiveBlock& block, std::uint64_t value) { block.address = value << shift; });
  column([](LiveBlock& block, std::uint64_t value) { block.size = value; });
  column([](LiveBlock& block, std::uint64_t value) {
    block.tid = static_cast<Tid>(value >> 1);
    block.part = value & 1;
  });
  if (!known) return kNoSuchSeries;
  if (!in.ok()) return kTooShort;
  if (first + count == total) memory.live = std::exchange(unfinished, {});
  return "";
}

namespace {

struct SeriesWritten {  // into this recording so far
  std::size_t count = 0;
};

}  // namespace

// What ticks and blocks refer to is in the file before them.
Result<void> write_new_series(RecordingWriter& writer, std::span<const Series> series) {
  std::size_t& written = writer.state().get<SeriesWritten>().count;
  if (written >= series.size()) return {};
  std::span<const Series> fresh = series.subspan(written);
  for (const Series& one : fresh) writer.know_process(one.process);
  if (Result<void> appended = writer.append(kChunkSeries, encode_series(written, fresh)); !appended) return appended;
  written = series.size();
  return {};
}

Result<void> write_memory_tick(RecordingWriter& writer, const MemoryTick& tick, std::span<const Series> series) {
  if (Result<void> written = write_new_series(writer, series); !written) return written;
  return writer.append(kChunkTick, encode_tick(tick));
}

Result<void> write_live_blocks(RecordingWriter& writer, const LiveSet& live, std::span<const Series> series) {
  if (Result<void> written = write_new_series(writer, series); !written) return written;
  std::span<const LiveBlock> blocks = live.blocks;
  for (std::size_t first = 0; first == 0 || first < blocks.size(); first += kLiveBlocksPerChunk) {
    std::span<const LiveBlock> part = blocks.subspan(first, std::min(kLiveBlocksPerChunk, blocks.size() - first));
    Result<void> appended = writer.append(kChunkLive, encode_live(live.time_ns, blocks.size(), first, part));
    if (!appended) return appended;
  }
  return {};
}

}  // namespace dwell
