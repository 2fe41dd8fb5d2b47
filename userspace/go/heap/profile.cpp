// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/profile.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace dwell {
namespace {

constexpr std::size_t kMostBuckets = 4'000'000;
constexpr std::size_t kMostFrames = 1024;
constexpr std::size_t kHeaderSize = 48;  // of runtime.bucket
constexpr int kCycles = 3;               // that the runtime keeps beside what it publishes

struct Variables {
  std::uint64_t buckets = 0, rate = 0, cycle = 0;
};

std::uint64_t first_loaded(const std::vector<CodeReference>& references) {
  for (const CodeReference& reference : references) {
    if (!reference.is_address) return reference.target;
  }
  return 0;
}

Variables find_variables(const GoRuntime& runtime) {
  Variables found;
  found.buckets = first_loaded(runtime.references("runtime.mProf_FlushLocked"));
  // What decides on the next sample reads the rate last; it is no pointer.
  for (const CodeReference& reference : runtime.references("runtime.profilealloc")) {
    if (!reference.is_address && !runtime.module().bss.contains(reference.target))
      found.rate = reference.target;
  }
  // Allocating and freeing share one variable: the cycle that they count for.
  std::vector<CodeReference> frees = runtime.references("runtime.mProf_Free");
  for (const CodeReference& allocates : runtime.references("runtime.mProf_Malloc")) {
    auto same = [&](const CodeReference& other) {
      return !other.is_address && other.target == allocates.target;
    };
    if (!found.cycle && !allocates.is_address && std::any_of(frees.begin(), frees.end(), same))
      found.cycle = allocates.target;
  }
  return found;
}

// Counters of one cycle. Since 1.27 bytes are not kept: all objects of a bucket have one size.
HeapCounts cycle_of(std::string_view record, int number, std::uint64_t object_size, bool with_bytes) {
  std::size_t at = static_cast<std::size_t>(number) * (with_bytes ? 32 : 16);
  auto word = [&](std::size_t index) { return field_of<std::int64_t>(record, at + index * 8); };
  std::int64_t allocations = word(0), frees = word(1);
  std::int64_t size = static_cast<std::int64_t>(object_size);
  std::int64_t allocated = with_bytes ? word(2) : allocations * size,
               freed = with_bytes ? word(3) : frees * size;
  return {allocations - frees, allocated - freed, allocations, allocated};
}

// A recording may hold any figures.
void add(std::int64_t& to, std::int64_t count) {
  if (__builtin_add_overflow(to, count, &to)) to = std::numeric_limits<std::int64_t>::max();
}

void add(HeapCounts& to, const HeapCounts& counts) {
  add(to.in_use_objects, counts.in_use_objects);
  add(to.in_use_bytes, counts.in_use_bytes);
  add(to.allocated_objects, counts.allocated_objects);
  add(to.allocated_bytes, counts.allocated_bytes);
}

std::int64_t to_count(double value) {
  constexpr double kMost = 9e18;
  return value == value ? static_cast<std::int64_t>(std::clamp(value, -kMost, kMost)) : 0;
}

struct Bucket {
  std::uint64_t address = 0, object_bytes = 0;
  std::vector<std::uint64_t> pcs;
  std::array<HeapCounts, kCycles + 1> cycles{};
};

std::vector<Bucket> read_buckets(const GoRuntime& runtime, std::uint64_t first) {
  std::vector<Bucket> buckets;
  constexpr std::uint64_t kMemoryBuckets = 1;
  std::size_t record_size = runtime.layout().heap_record_size;
  constexpr std::size_t kShortRecord = 64;
  std::string bytes;
  // Buckets are never freed or moved, and new ones come first: the list can be followed while it grows.
  for (std::uint64_t at = first; at && buckets.size() < kMostBuckets;) {
    bytes.resize(kHeaderSize);
    if (!runtime.memory().read(at, bytes.data(), kHeaderSize)) break;
    std::uint64_t next = field_of<std::uint64_t>(bytes, 8), frames = field_of<std::uint64_t>(bytes, 40);
    std::uint64_t size = field_of<std::uint64_t>(bytes, 32);
    if (field_of<std::uint64_t>(bytes, 16) != kMemoryBuckets || frames > kMostFrames) break;
    bytes.resize(frames * 8 + record_size);
    if (!runtime.memory().read(at + kHeaderSize, bytes.data(), bytes.size())) break;
    Bucket bucket;
    bucket.address = at;
    bucket.object_bytes = size;
    for (std::size_t i = 0; i < frames; ++i) bucket.pcs.push_back(field_of<std::uint64_t>(bytes, i * 8));
    std::string_view record = std::string_view(bytes).substr(frames * 8);
    for (int i = 0; i <= kCycles; ++i)
      bucket.cycles[static_cast<std::size_t>(i)] = cycle_of(record, i, size, record_size != kShortRecord);
    buckets.push_back(std::move(bucket));
    at = next;
  }
  return buckets;
}

bool is_runtime(const std::string& function) {
  return function.rfind("runtime.", 0) == 0 || function.rfind("internal/runtime/", 0) == 0;
}

// Each address stands for one call, inlined ones included.
std::vector<GoCall> calls_of(const GoRuntime& runtime, const std::vector<std::uint64_t>& pcs) {
  std::vector<GoCall> calls;
  for (std::uint64_t pc : pcs) calls.push_back(runtime.frames().call_before(pc));
  auto user =
      std::find_if(calls.begin(), calls.end(), [](const GoCall& call) { return !is_runtime(call.function); });
  if (user != calls.end()) calls.erase(calls.begin(), user);
  return calls;
}

}  // namespace

HeapCounts scale_heap_counts(const HeapCounts& sampled, std::uint64_t rate) {
  auto scale = [rate](std::int64_t& objects, std::int64_t& bytes) {
    if (objects == 0 || bytes == 0) {
      objects = bytes = 0;
    } else if (rate > 1) {
      double size = static_cast<double>(bytes) / static_cast<double>(objects);
      double factor = 1 / (1 - std::exp(-size / static_cast<double>(rate)));
      objects = to_count(static_cast<double>(objects) * factor);
      bytes = to_count(static_cast<double>(bytes) * factor);
    }
  };
  HeapCounts result = sampled;
  scale(result.in_use_objects, result.in_use_bytes);
  scale(result.allocated_objects, result.allocated_bytes);
  return result;
}

void estimate_heap(HeapProfile& profile) {
  profile.total = {};
  for (HeapSite& site : profile.sites) {
    site.scaled = scale_heap_counts(site.sampled, profile.rate);
    add(profile.total, site.scaled);
  }
  std::stable_sort(profile.sites.begin(), profile.sites.end(), [](const HeapSite& a, const HeapSite& b) {
    return a.scaled.in_use_bytes > b.scaled.in_use_bytes;
  });
}

Result<HeapProfile> read_heap_profile(const GoRuntime& runtime) {
  std::string doing = fmt::format("read the heap profile of PID {}", runtime.memory().pid());
  Variables variables = find_variables(runtime);
  if (!runtime.layout().heap_record_size || !variables.buckets || !variables.rate || !variables.cycle)
    return Error{doing + ": the runtime does not keep it where dwell looks for it", "", Exit::kUnsupported};
  HeapProfile profile;
  profile.rate = runtime.memory().load<std::uint64_t>(variables.rate).value_or(0);
  if (profile.rate == 0)
    return Error{doing + ": the program keeps none: the linker leaves it out where nothing asks for it",
                 "watch its allocations from now on: dwell record -p PID", Exit::kUnsupported};
  std::uint32_t cycle = runtime.memory().load<std::uint32_t>(variables.cycle).value_or(0) >> 1;
  std::vector<Bucket> buckets =
      read_buckets(runtime, runtime.memory().load<std::uint64_t>(variables.buckets).value_or(0));
  // What the runtime publishes is what was true at the last collection. Before the first there is only what
  // came since.
  std::size_t pending = 1 + cycle % kCycles;
  bool published = std::any_of(buckets.begin(), buckets.end(), [&](const Bucket& bucket) {
    return bucket.cycles[0].allocated_objects != 0 || bucket.cycles[pending].allocated_objects != 0;
  });
  for (const Bucket& bucket : buckets) {
    HeapSite site;
    site.bucket = bucket.address;
    site.object_bytes = bucket.object_bytes;
    site.pcs = bucket.pcs;
    for (std::size_t i = 0; i <= kCycles; ++i) {
      if (i == 0 || i == pending || !published) {
        add(site.sampled, bucket.cycles[i]);
      } else {
        site.pending_objects += bucket.cycles[i].allocated_objects;
        site.pending_bytes += bucket.cycles[i].allocated_bytes;
      }
    }
    if (site.sampled.allocated_objects == 0) continue;
    site.calls = calls_of(runtime, site.pcs);
    profile.sites.push_back(std::move(site));
  }
  estimate_heap(profile);
  return profile;
}

}  // namespace dwell
