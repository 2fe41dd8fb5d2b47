// SPDX-License-Identifier: Apache-2.0
// A program that allocates, simulated: threads share free lists that are last in, first out, so that slots are reused at once,
// by whoever comes next. Everything is drawn from the seed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <vector>

#include "userspace/memory/windows/census.h"
#include "userspace/memory/windows/look.h"

namespace dwell::memory::windows {

enum class Fate { kLeak, kTemporary, kSession, kCache, kBurst };
// Mutating: beside a unique word one that changes all the time. Of its place: each block in a place is as the one before it, but
// differs from the others: a pointer to another block that comes and goes with it.
enum class Content { kUnique, kConstant, kMutating, kOfItsPlace };

struct SimulatedSite {
  double per_second;
  std::uint64_t size;
  Fate fate;
  double mean_ns = 0;  // lifetime; of a cache: how many entries it has
  Content content = Content::kUnique;
};

class SimulatedProgram : public LivenessReader {
 public:
  static constexpr std::uint64_t kTypes = 0x555500001000;  // the first word of a block points there

  SimulatedProgram(std::vector<SimulatedSite> sites, std::uint64_t seed);

  // `allocated`: each block that was given out meanwhile.
  using Allocated = std::function<void(std::uint64_t time_ns, std::uint64_t address, std::uint64_t size, std::uint32_t site)>;
  void run_until(std::uint64_t time_ns, const Allocated& allocated);
  void look(std::span<const Question> questions, std::span<Look> looks) override;

  // What a walk of the heap finds.
  std::vector<CensusBlock> walk() const;

  // Bytes of the site that live and were given out between those times.
  double live_bytes(std::uint32_t site, std::uint64_t born_before_ns, std::uint64_t born_after_ns = 0) const;

 private:
  struct Slot {
    std::uint64_t owner = 0, birth_ns = 0, size = 0;
    std::uint32_t site = 0;
    bool live = false;
  };
  struct Step {
    std::uint64_t time_ns;
    bool free;
    std::uint32_t site;
    std::uint64_t address, owner;
    bool operator>(const Step& other) const { return time_ns > other.time_ns; }
  };
  void allocate(std::uint32_t site, const Allocated& allocated);
  void release(std::uint64_t address);
  void plan_next(std::uint32_t site);
  Words words_of(std::uint64_t address, const Slot& slot) const;

  std::vector<SimulatedSite> sites_;
  std::mt19937_64 random_;
  std::uint64_t now_ns_ = 0, owners_ = 0, top_ = 0x10000;
  std::map<std::uint64_t, Slot> slots_;
  std::map<std::uint64_t, std::vector<std::uint64_t>> free_;  // by size
  std::map<std::uint32_t, std::vector<std::uint64_t>> caches_;
  std::priority_queue<Step, std::vector<Step>, std::greater<>> steps_;
};

}  // namespace dwell::memory::windows
