// SPDX-License-Identifier: Apache-2.0
// How long each format takes for a large profile, and how large what it writes is.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <algorithm>
#include <random>

#include "ui/export.h"

namespace dwell {
namespace {

constexpr int kFunctions = 4'000, kModules = 10, kStacks = 20'000;

// Stacks of 8 to 37 frames that branch near the root and share little near the leaf: the hard case for a
// picture, because nearly every frame is narrow.
Profile large_profile() {
  Profile profile;
  profile.title = "retained memory of a large program";
  profile.sample_types = {{"inuse_space", "bytes"}};
  for (int i = 0; i < kModules; ++i) {
    ProfileMapping mapping;
    mapping.path = fmt::format("/usr/lib/library{}.so", i);
    profile.mappings.push_back(mapping);
  }
  for (int i = 0; i < kFunctions; ++i) {
    ProfileLocation location;
    location.mapping = i % kModules;
    location.address = static_cast<std::uint64_t>(i) * 64;
    location.lines.push_back({fmt::format("space{}::Class{}<std::vector<int> >::method{}(int)", i % 9, i % 90, i), "",
                              fmt::format("src/file{}.cpp", i % 200), static_cast<std::uint32_t>(i + 1)});
    profile.locations.push_back(std::move(location));
  }
  std::mt19937 random(1);
  for (int i = 0; i < kStacks; ++i) {
    ProfileSample sample;
    std::uint32_t at = 0;
    std::uint32_t depth = 8 + random() % 30;
    for (std::uint32_t frame = 0; frame < depth; ++frame) {
      at = (at * 31 + random() % 3 * 17 + frame + (frame > 5 ? random() % 4 : 0)) % kFunctions;
      sample.stack.push_back(at);
    }
    std::reverse(sample.stack.begin(), sample.stack.end());
    sample.values = {std::int64_t{16} << random() % 14};
    profile.samples.push_back(std::move(sample));
  }
  return profile;
}

void BM_Export(benchmark::State& state) {
  const Profile profile = large_profile();
  const auto format = static_cast<ExportFormat>(state.range(0));
  std::size_t bytes = 0;
  for (auto _ : state) {
    Result<std::string> written = export_profile(profile, format, {});
    if (!written) return state.SkipWithError(written.error().what.c_str());
    bytes = written->size();
  }
  static constexpr const char* kNames[] = {"svg", "folded", "pprof", "speedscope"};
  state.SetLabel(kNames[state.range(0)]);
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_Export)->ArgName("format")->DenseRange(0, 3)->Unit(benchmark::kMillisecond)->Repetitions(3)->ReportAggregatesOnly();

}  // namespace
}  // namespace dwell

BENCHMARK_MAIN();
