// SPDX-License-Identifier: Apache-2.0
// AllocSamples: sampled allocations, which of them live, and what that says of all. Pure.
//
// A sample is the first object of a span that was just taken, and stands for all that the span will give out.
// Which call site is the first is chance, so a site's share of the samples is its share of the objects.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace dwell {

struct AllocSample {
  std::uint64_t time_ns = 0;
  std::uint64_t address = 0, span = 0, element_size = 0;
  std::uint64_t objects = 0;  // that it stands for
  std::uint64_t stack = 0;    // identity
  std::uint8_t process = 0;
  std::uint64_t checked = 0;  // the last collection whose verdict on it is known
};

struct AllocSite {
  std::uint64_t stack = 0;
  std::uint8_t process = 0;
  auto operator<=>(const AllocSite&) const = default;
};

struct AllocEstimate {
  double objects = 0, bytes = 0;
  double bytes_error = 0;  // one standard error
};
struct AllocFigures {
  std::uint64_t samples = 0, live_samples = 0;
  AllocEstimate allocated, in_use;
};

class AllocSamples {
 public:
  // A sample without an address counts as allocated, and never as in use.
  void add(const AllocSample& sample);
  std::vector<AllocSample>& live() { return live_; }
  std::uint64_t forgotten() const { return forgotten_; }  // that no look can tell to live

  // `watched`: the share of the time in which samples were taken.
  std::map<AllocSite, AllocFigures> figures(double watched) const;

  static constexpr std::size_t kMostLive = std::size_t{1} << 20;

 private:
  struct Sums {
    std::uint64_t samples = 0;
    double objects = 0, bytes = 0, squares = 0;
  };
  std::map<AllocSite, Sums> allocated_;
  std::vector<AllocSample> live_;
  std::uint64_t forgotten_ = 0;
};

// What is known of a sample's span after a collection.
struct SpanNow {
  bool in_use = false;
  std::uint64_t start = 0, element_size = 0;
  std::uint32_t sweep_generation = 0;
  std::uint8_t bits = 0;  // of the sample's object and its neighbours: which ones the sweep left
};
enum class Fate : std::uint8_t { kLives, kDead, kNotSwept };
// `generation`: the heap's; it goes up by two with each collection.
Fate fate_of(const AllocSample& sample, const SpanNow& span, std::uint32_t generation);
// Number of the sample's object in its span.
std::uint64_t object_number(const AllocSample& sample, std::uint64_t span_start);

}  // namespace dwell
