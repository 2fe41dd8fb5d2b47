// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/sample_fates.h"

#include <time.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "userspace/base/clock.h"
#include "userspace/base/text.h"
#include "userspace/go/heap/collector.h"

namespace dwell {
namespace {

constexpr std::size_t kSpanBytes = 168;
constexpr std::uint8_t kInUse = 1;

std::uint16_t sweep_generation_at(int minor) { return minor == 21 ? 96 : 88; }

// CLOCK_MONOTONIC less CLOCK_REALTIME.
std::int64_t monotonic_less_unix() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::int64_t unix_ns = static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  return static_cast<std::int64_t>(monotonic_ns()) - unix_ns;
}

}  // namespace

std::optional<dwell_go_span_layout> span_layout(const GoLayout& layout) {
  if (!layout.span_elements) return std::nullopt;
  bool is_short = layout.minor >= 22;
  dwell_go_span_layout span{};
  span.free_index = 48;
  span.elements = layout.span_elements;
  span.bits = is_short ? 64 : 72;
  span.cache = is_short ? 56 : 64;
  span.count = layout.minor == 21 ? 104 : 96;
  span.element_size = layout.span_element_size;
  span.short_numbers = is_short;
  span.known = 1;
  return span;
}

void SampleFates::look(AllocSamples& samples) {
  std::optional<Collector> collector = read_collector(runtime_);
  if (!collector || collector->last.empty()) return;
  if (!began_) {
    began_ = true;
    cycle_ = collector->cycles;
  }
  std::uint32_t passed = collector->cycles - cycle_;
  if (!passed && !unswept_) return;
  if (passed > 1) missed_ += passed - 1;
  collections_ += passed > 0;
  cycle_ = collector->cycles;
  // What was allocated behind the marking is in no mark: the next collection tells. Before its last pause
  // objects are born marked.
  const CollectorPause& pause = collector->last[0];
  auto marked_ns = static_cast<std::int64_t>(pause.end_unix_ns - pause.ns) + monotonic_less_unix();
  judge(samples, cycle_, static_cast<std::uint64_t>(marked_ns));
}

void SampleFates::judge(AllocSamples& samples, std::uint32_t cycle, std::uint64_t before_ns) {
  const GoLayout& layout = runtime_.layout();
  std::optional<dwell_go_span_layout> fields = span_layout(layout);
  if (!fields) return;
  std::vector<AllocSample*> due;
  for (AllocSample& sample : samples.live())
    if (sample.process == process_ && sample.time_ns < before_ns && sample.checked != cycle)
      due.push_back(&sample);
  std::string spans(due.size() * kSpanBytes, '\0');
  std::vector<MemoryPiece> pieces;
  for (std::size_t i = 0; i < due.size(); ++i)
    pieces.push_back({due[i]->span, kSpanBytes, spans.data() + i * kSpanBytes});
  runtime_.memory().read_pieces(pieces);

  std::vector<SpanNow> now(due.size());
  std::vector<MemoryPiece> bits;
  for (std::size_t i = 0; i < due.size(); ++i) {
    std::string_view span(spans.data() + i * kSpanBytes, kSpanBytes);
    now[i].in_use = pieces[i].read && field_of<std::uint8_t>(span, layout.span_state) == kInUse;
    now[i].start = field_of<std::uint64_t>(span, 24);
    now[i].element_size = field_of<std::uint64_t>(span, fields->element_size);
    now[i].sweep_generation = field_of<std::uint32_t>(span, sweep_generation_at(layout.minor));
    if (fate_of(*due[i], now[i], 2 * cycle) == Fate::kNotSwept || !now[i].in_use) continue;
    if (due[i]->address < now[i].start) continue;
    std::uint64_t at = field_of<std::uint64_t>(span, fields->bits) + object_number(*due[i], now[i].start) / 8;
    bits.push_back({at, 1, reinterpret_cast<char*>(&now[i].bits)});
  }
  runtime_.memory().read_pieces(bits);
  unswept_ = false;
  for (std::size_t i = 0; i < due.size(); ++i) {
    Fate fate = fate_of(*due[i], now[i], 2 * cycle);
    unswept_ |= fate == Fate::kNotSwept;
    if (fate == Fate::kLives) due[i]->checked = cycle;
    if (fate == Fate::kDead) due[i]->address = 0;
  }
  std::erase_if(samples.live(), [](const AllocSample& sample) { return !sample.address; });
}

}  // namespace dwell
