// SPDX-License-Identifier: Apache-2.0
// The smallest code with namespaces, a template and calls inlined into calls: seeds for the fuzz targets.
namespace outer {
namespace {
struct Pair {
  int a, b;
  inline __attribute__((always_inline)) int sum() const { return a + b; }
};
inline __attribute__((always_inline)) int twice(const Pair& p) {
  int s = 0;
  for (int i = 0; i < p.a; ++i) s += p.sum() * 2;
  return s;
}
}  // namespace
template <typename T>
__attribute__((noinline)) T apply(T x) {
  Pair p{int(x), 3};
  return twice(p) + x;
}
}  // namespace outer
extern "C" int entry(int n) {
  if (n > 5) return outer::apply(n);
  return outer::apply((long)n);
}
