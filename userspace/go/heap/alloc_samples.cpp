// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/alloc_samples.h"

#include <cmath>

namespace dwell {

void AllocSamples::add(const AllocSample& sample) {
  Sums& sums = allocated_[{sample.stack, sample.process}];
  double objects = static_cast<double>(sample.objects);
  double bytes = objects * static_cast<double>(sample.element_size);
  ++sums.samples;
  sums.objects += objects;
  sums.bytes += bytes;
  sums.squares += bytes * bytes;
  if (!sample.address || live_.size() >= kMostLive) {
    ++forgotten_;
    return;
  }
  live_.push_back(sample);
}

std::map<AllocSite, AllocFigures> AllocSamples::figures(double watched) const {
  std::map<AllocSite, AllocFigures> figures;
  std::map<AllocSite, double> live_squares;
  for (const auto& [site, sums] : allocated_) {
    AllocFigures& f = figures[site];
    f.samples = sums.samples;
    f.allocated = {sums.objects / watched, sums.bytes / watched, std::sqrt(sums.squares) / watched};
  }
  for (const AllocSample& sample : live_) {
    AllocSite site{sample.stack, sample.process};
    AllocFigures& f = figures[site];
    double objects = static_cast<double>(sample.objects);
    double bytes = objects * static_cast<double>(sample.element_size);
    ++f.live_samples;
    f.in_use.objects += objects / watched;
    f.in_use.bytes += bytes / watched;
    live_squares[site] += bytes * bytes;
  }
  for (auto& [site, f] : figures) f.in_use.bytes_error = std::sqrt(live_squares[site]) / watched;
  return figures;
}

std::uint64_t object_number(const AllocSample& sample, std::uint64_t span_start) {
  return (sample.address - span_start) / sample.element_size;
}

Fate fate_of(const AllocSample& sample, const SpanNow& span, std::uint32_t generation) {
  if (!span.in_use || span.element_size != sample.element_size || sample.address < span.start)
    return Fate::kDead;
  // Swept, or swept and then taken by a processor.
  constexpr std::uint32_t kTaken = 3;
  if (span.sweep_generation != generation && span.sweep_generation != generation + kTaken)
    return Fate::kNotSwept;
  return span.bits >> (object_number(sample, span.start) % 8) & 1 ? Fate::kLives : Fate::kDead;
}

}  // namespace dwell
