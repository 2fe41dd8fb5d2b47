// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/contention_profile.h"

#include <time.h>
#include <x86intrin.h>

#include <algorithm>
#include <cmath>

#include "userspace/base/clock.h"

namespace dwell {
namespace {

constexpr std::size_t kMostBuckets = 1'000'000, kMostFrames = 1024;
constexpr std::size_t kHeaderSize = 48;  // of runtime.bucket
constexpr std::uint64_t kEachIsOneCall =
    ~std::uint64_t{0};            // in the place of the first address: what follows is expanded
constexpr int kFirstScaled = 21;  // Go 1.21 and later scale locks when they are counted

struct BucketHeader {
  std::uint64_t next, all_next, kind, hash, size, frames;
};
static_assert(sizeof(BucketHeader) == kHeaderSize);

// What makes a bucket takes the addresses of the three lists; the first bucket of each says which it is.
std::uint64_t first_bucket(const GoRuntime& runtime, GoProfileKind kind) {
  const ProcessMemory& memory = runtime.memory();
  for (const CodeReference& reference : runtime.references("runtime.stkbucket")) {
    if (!reference.is_address) continue;
    std::uint64_t first = memory.load<std::uint64_t>(reference.target).value_or(0);
    std::optional<BucketHeader> header = first ? memory.load<BucketHeader>(first) : std::nullopt;
    if (header && header->kind == static_cast<std::uint64_t>(kind) && header->frames <= kMostFrames)
      return first;
  }
  return 0;
}

// Counted as a fraction, where short waits are sampled; what was counted is one at least.
std::int64_t contentions_of(double counted) {
  constexpr double kMost = 1e18;
  if (!(counted >= 1)) return 1;
  return static_cast<std::int64_t>(std::min(counted, kMost));
}

std::vector<ContentionSite> read_sites(const GoRuntime& runtime, GoProfileKind kind) {
  std::vector<ContentionSite> sites;
  const ProcessMemory& memory = runtime.memory();
  for (std::uint64_t at = first_bucket(runtime, kind); at && sites.size() < kMostBuckets;) {
    std::optional<BucketHeader> header = memory.load<BucketHeader>(at);
    if (!header || header->kind != static_cast<std::uint64_t>(kind) || header->frames > kMostFrames) break;
    std::string bytes(header->frames * 8 + 16, '\0');
    if (!memory.read(at + kHeaderSize, bytes.data(), bytes.size())) break;
    ContentionSite site;
    site.bucket = at;
    for (std::size_t i = 0; i < header->frames; ++i)
      if (std::uint64_t pc = field_of<std::uint64_t>(bytes, i * 8); pc != kEachIsOneCall)
        site.pcs.push_back(pc);
    site.contentions = contentions_of(field_of<double>(bytes, header->frames * 8));
    site.ticks = field_of<std::int64_t>(bytes, header->frames * 8 + 8);
    for (std::uint64_t pc : runtime.frames().return_addresses(site.pcs))
      for (GoCall& call : runtime.frames().calls_at(pc, true)) site.calls.push_back(std::move(call));
    sites.push_back(std::move(site));
    at = header->all_next;
  }
  return sites;
}

// The processor's counter is the same to all processes.
std::uint64_t measured_ticks_per_second() {
  constexpr timespec kPause = {0, 20'000'000};
  std::uint64_t time = clock_ns(CLOCK_MONOTONIC), ticks = __rdtsc();
  ::nanosleep(&kPause, nullptr);
  std::uint64_t later = clock_ns(CLOCK_MONOTONIC), later_ticks = __rdtsc();
  return static_cast<std::uint64_t>(static_cast<double>(later_ticks - ticks) * 1e9 /
                                    static_cast<double>(later - time));
}

// As the runtime has measured it, if it ever did.
std::uint64_t ticks_per_second(const GoRuntime& runtime) {
  static const std::uint64_t measured = measured_ticks_per_second();
  constexpr double kNear = 0.01;
  for (const char* name : {"runtime.tickspersecond", "runtime.ticksPerSecond"}) {
    for (const CodeReference& reference : runtime.references(name)) {
      std::uint64_t value = runtime.memory().load<std::uint64_t>(reference.target).value_or(0);
      if (std::abs(static_cast<double>(value) / static_cast<double>(measured) - 1) < kNear) return value;
    }
  }
  return measured;
}

std::int64_t scale_of_locks(const GoRuntime& runtime) {
  if (runtime.layout().minor >= kFirstScaled) return 1;
  for (const CodeReference& reference : runtime.references("runtime.mutexevent")) {
    if (reference.is_address) continue;
    std::int64_t rate = runtime.memory().load<std::int64_t>(reference.target).value_or(0);
    return rate > 0 && rate < (1 << 30) ? rate : 1;
  }
  return 1;
}

}  // namespace

void sort_contention(ContentionProfile& profile) {
  std::stable_sort(profile.sites.begin(), profile.sites.end(),
                   [](const ContentionSite& a, const ContentionSite& b) { return a.ticks > b.ticks; });
}

std::vector<ContentionProfile> read_contention_profiles(const GoRuntime& runtime) {
  std::vector<ContentionProfile> profiles;
  for (GoProfileKind kind : {GoProfileKind::kMutex, GoProfileKind::kBlock}) {
    ContentionProfile profile;
    profile.kind = kind;
    profile.sites = read_sites(runtime, kind);
    if (profile.sites.empty()) continue;
    profile.ticks_per_second = ticks_per_second(runtime);
    if (kind == GoProfileKind::kMutex) profile.scale = scale_of_locks(runtime);
    sort_contention(profile);
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

}  // namespace dwell
