// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/toggle_price.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"

namespace dwell {
namespace {

constexpr double kTypicalFlushNs = 6000;
constexpr double kFewestBusyCpus = 0.1;
constexpr double kWritesOfAProbe = 2;  // there, and away
constexpr int kRounds = 5;
constexpr int kFlushes = 30;  // of a round
constexpr std::uint64_t kQuietNs = 500'000;  // of a round, before that
constexpr std::uint64_t kMostNs = 100 * kMillisecond, kLongestRoundNs = 20 * kMillisecond;
constexpr int kMostTries = 3;

// A page that is written, and then must not be: other CPUs may still write it unless they are told.
class FlushedPage {
 public:
  FlushedPage() : size_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))), page_(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~FlushedPage() {
    if (is_mapped()) ::munmap(page_, size_);
  }
  FlushedPage(const FlushedPage&) = delete;
  FlushedPage& operator=(const FlushedPage&) = delete;
  bool is_mapped() const { return page_ != MAP_FAILED; }
  void flush() {
    *static_cast<volatile char*>(page_) = 1;
    ::mprotect(page_, size_, PROT_READ);
    ::mprotect(page_, size_, PROT_READ | PROT_WRITE);
  }

 private:
  std::size_t size_;
  void* page_;
};

long times_preempted() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return used.ru_nivcsw;
}

// Counts until `done` has enough of the nanoseconds that have passed. How many those are in the end, and how many `steps` it took.
template <typename Done>
double count_until(Done done, std::uint64_t& steps) {
  std::uint64_t begun_ns = monotonic_ns(), now_ns = begun_ns, count = 0;
  for (; !done(now_ns - begun_ns); now_ns = monotonic_ns()) {
    for (int i = 0; i < 20; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
    ++count;
  }
  steps = count;
  return static_cast<double>(now_ns - begun_ns);
}

struct alignas(256) Shared {  // a cache line that nothing else lies in: the threads would hold each other up by it
  std::atomic<bool> flushing = false, over = false;
  std::atomic<int> flushes = 0;
};

}  // namespace

std::optional<double> measure_flush_ns() {
  FlushedPage page;
  if (!page.is_mapped() || std::thread::hardware_concurrency() < 2) return {};
  Shared shared;
  std::thread other([&] {
    while (!shared.over) {
      if (!shared.flushing) continue;
      page.flush();
      ++shared.flushes;
    }
  });
  std::vector<double> prices;
  std::uint64_t until_ns = monotonic_ns() + kMostNs;
  while (prices.size() < kRounds && monotonic_ns() < until_ns) {
    long preempted = times_preempted();
    std::uint64_t quiet_steps = 0, steps = 0;
    double quiet_ns = count_until([](std::uint64_t passed_ns) { return passed_ns >= kQuietNs; }, quiet_steps);
    int before = shared.flushes;
    shared.flushing = true;
    double took_ns = count_until([&](std::uint64_t passed_ns) { return shared.flushes - before >= kFlushes || passed_ns >= kLongestRoundNs; }, steps);
    shared.flushing = false;
    int flushed = shared.flushes - before;
    // Behind each other on one CPU they do not disturb each other.
    if (times_preempted() != preempted || flushed < kFlushes) continue;
    prices.push_back(std::max(0.0, took_ns - quiet_ns / static_cast<double>(quiet_steps) * static_cast<double>(steps)) / flushed);
  }
  shared.over = true;
  other.join();
  if (prices.empty()) return {};
  auto middle = prices.begin() + static_cast<std::ptrdiff_t>(prices.size() / 2);
  std::nth_element(prices.begin(), middle, prices.end());
  return *middle;
}

double flush_ns() {
  static std::mutex mutex;
  static std::optional<double> measured;
  static int tries = 0;
  std::lock_guard lock(mutex);
  while (!measured && tries++ < kMostTries) measured = measure_flush_ns();
  return measured.value_or(kTypicalFlushNs);
}

double toggle_ns(std::size_t places, double busy_cpus, double flush) {
  return kWritesOfAProbe * static_cast<double>(places) * flush * std::max(busy_cpus, kFewestBusyCpus);
}

}  // namespace dwell
