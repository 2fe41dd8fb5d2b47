// SPDX-License-Identifier: Apache-2.0
// Stacks inside the C++ runtime: mark() is called while an exception unwinds, and from where it is caught.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <vector>

extern "C" [[gnu::noinline]] void mark() { __asm__ volatile("nop" ::: "memory"); }

struct Marker {
  [[gnu::noinline]] ~Marker() { mark(); }
};

[[gnu::noinline]] void thrower(int depth) {
  Marker marker;
  if (depth == 0) throw std::runtime_error("as planned");
  thrower(depth - 1);
  __asm__ volatile("" ::: "memory");
}

[[gnu::noinline]] void catcher() {
  try {
    thrower(6);
  } catch (const std::exception&) {
    mark();
  }
}

[[gnu::noinline]] int visit(const std::function<int(int)>& function, int depth) {
  if (depth == 0) return function(depth);
  int below = visit(function, depth - 1);
  __asm__ volatile("" ::"r"(&below) : "memory");
  return below + 1;
}

int main() {
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    catcher();
    visit(
        [](int x) {
          mark();
          __asm__ volatile("" ::: "memory");
          return x;
        },
        10);
    std::vector<int> numbers(40);
    std::iota(numbers.rbegin(), numbers.rend(), 0);
    std::stable_sort(numbers.begin(), numbers.end(), [](int a, int b) {
      if (a == 20) mark();
      return a < b;
    });
  }
}
