// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

using Entry = int (*)(int);
extern "C" Entry __start_dwell_entries[], __stop_dwell_entries[];

int main(int argc, char**) {
  long sum = 0;
  for (Entry* entry = __start_dwell_entries; entry != __stop_dwell_entries; ++entry) sum += (*entry)(argc);
  std::printf("%ld\n", sum);
}
