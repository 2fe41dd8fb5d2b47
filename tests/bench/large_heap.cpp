// SPDX-License-Identifier: Apache-2.0
// A service with a large heap: large_heap GIGABYTES. Blocks of 100 to 300 B, all held by a map of lists. One thread maps, touches
// and unmaps a page without pause and keeps the longest time that took; one computes, allocates and frees. Each line that comes
// begins a new window; the answer tells the window that ends: operations a second of the second thread, the longest pause in
// microseconds, seconds. The line "leaks" has the leak sanitizer check in it, if it is linked.
#include <sys/mman.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>

extern "C" [[gnu::weak]] int __lsan_do_recoverable_leak_check();

namespace {

struct Item {
  Item* next;
  std::uint64_t number;
  char text[];
};

std::map<std::uint64_t, Item*> shelves;
std::atomic<std::uint64_t> longest_ns, operations;

std::uint64_t now_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

void fill(std::uint64_t bytes) {
  constexpr std::uint64_t kShelves = 100'000;
  std::uint64_t random = 1, number = 0;
  for (std::uint64_t sum = 0; sum < bytes; ++number) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    std::size_t size = 100 + (random >> 33) % 200;
    auto* item = static_cast<Item*>(malloc(size));
    memset(static_cast<void*>(item), 0x11, size);
    Item*& first = shelves[number % kShelves];
    item->next = first, item->number = number;
    first = item;
    sum += size + 8;
  }
}

void map_and_unmap() {
  for (std::uint64_t last = now_ns();;) {
    void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(page) = 1;
    munmap(page, 4096);
    std::uint64_t now = now_ns(), took = now - last;
    last = now;
    if (took > longest_ns.load(std::memory_order_relaxed)) longest_ns = took;
  }
}

void work() {
  constexpr int kHeld = 64;
  void* held[kHeld] = {};
  for (std::uint64_t i = 0;; ++i) {
    free(held[i % kHeld]);
    held[i % kHeld] = malloc(100 + i % 200);
    *static_cast<volatile char*>(held[i % kHeld]) = 1;
    operations.store(i, std::memory_order_relaxed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  fill(static_cast<std::uint64_t>(atof(argv[1]) * (1 << 30)));
  std::thread(map_and_unmap).detach();
  std::thread(work).detach();
  std::uint64_t began_ns = now_ns(), before = operations;
  longest_ns = 0;
  puts("ready");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    if (strcmp(line, "leaks\n") == 0 && __lsan_do_recoverable_leak_check) __lsan_do_recoverable_leak_check();
    std::uint64_t time_ns = now_ns(), done = operations;
    double seconds = static_cast<double>(time_ns - began_ns) / 1e9;
    printf("%.0f %.1f %.3f\n", static_cast<double>(done - before) / seconds, static_cast<double>(longest_ns.exchange(0)) / 1e3, seconds);
    fflush(stdout);
    began_ns = time_ns, before = done;
  }
  _Exit(0);
}
