// SPDX-License-Identifier: Apache-2.0
// A loop of malloc/free pairs below ten frames, which tells how long a pair took, once every window.
//
//   pair_loop WINDOWS WINDOW_MS [THREADS]
//
// Prints one line a window: nanoseconds of CPU time a pair (median over the threads). Sizes are 16 to 271 bytes. The
// frames are real calls: no inlining, no tail calls, no frame pointers.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include <time.h>

namespace {

using Clock = std::chrono::steady_clock;

[[gnu::noinline]] void pair(std::size_t size) {
  void* block = std::malloc(size);
  asm volatile("" : : "r"(block) : "memory");
  std::free(block);
}

// Five of these, pair(), main() and the three of the C library below it: ten frames.
template <int depth>
[[gnu::noinline]] void descend(std::size_t size) {
  if constexpr (depth == 0) {
    for (int i = 0; i < 100; ++i) pair(16 + (size + i) % 256);
  } else {
    descend<depth - 1>(size);
  }
  asm volatile("" : : : "memory");  // keeps the call from becoming a jump
}

// The thread's own CPU time: what the machine does besides is not our price.
double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

double measure(std::chrono::milliseconds window) {
  long pairs = 0;
  double start_ns = cpu_ns();
  for (Clock::time_point end = Clock::now() + window; Clock::now() < end; pairs += 100) descend<4>(pairs);
  return (cpu_ns() - start_ns) / pairs;
}

}  // namespace

int main(int argc, char** argv) {
  int windows = argc > 1 ? std::atoi(argv[1]) : 10;
  std::chrono::milliseconds window(argc > 2 ? std::atoi(argv[2]) : 200);
  int threads = argc > 3 ? std::atoi(argv[3]) : 1;
  for (int i = 0; i < windows; ++i) {
    std::vector<double> results(threads);
    std::vector<std::thread> running;
    for (int t = 1; t < threads; ++t) running.emplace_back([&, t] { results[t] = measure(window); });
    results[0] = measure(window);
    for (std::thread& thread : running) thread.join();
    std::nth_element(results.begin(), results.begin() + threads / 2, results.end());
    std::printf("%.1f\n", results[threads / 2]);
    std::fflush(stdout);
  }
}
