// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/call_sites.h"

#include <algorithm>
#include <cstring>

namespace dwell {
namespace {

// Length of `ff /2` (call through a register or memory) by its ModRM and SIB bytes, 0 if it is none.
std::size_t indirect_call_length(const unsigned char* at, std::size_t left) {
  if (left < 2 || ((at[1] >> 3) & 7) != 2) return 0;
  unsigned mod = at[1] >> 6, rm = at[1] & 7;
  if (mod == 3) return 2;
  std::size_t length = 2;
  bool sib = rm == 4;
  if (sib) {
    if (left < 3) return 0;
    length++;
  }
  if (mod == 1) length += 1;
  if (mod == 2 || (mod == 0 && (rm == 5 || (sib && (at[2] & 7) == 5)))) length += 4;
  return length <= left ? length : 0;
}

}  // namespace

CallSites find_calls(std::string_view code, std::uint64_t vaddr, std::uint64_t text_begin,
                     std::uint64_t text_end) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(code.data());
  std::size_t size = code.size();
  CallSites calls;
  for (std::size_t i = 0; i < size; i++) {
    std::size_t length = 0;
    if (bytes[i] == 0xe8 && size - i >= 5) {
      std::int32_t relative;
      std::memcpy(&relative, bytes + i + 1, 4);
      std::uint64_t target = vaddr + i + 5 + static_cast<std::uint64_t>(std::int64_t{relative});
      if (target >= text_begin && target < text_end) {
        length = 5;
        calls.targets.push_back(target);
      }
    } else if (bytes[i] == 0xff) {
      length = indirect_call_length(bytes + i, size - i);
    } else if (bytes[i] == 0x0f && size - i >= 2 && bytes[i + 1] == 0x05) {
      length = 2;  // syscall: tracepoints see the pc behind it
    }
    if (length) calls.ends.push_back(vaddr + i + length - 1);
  }
  // Overlapping candidates can end out of order, by a few bytes.
  if (!std::is_sorted(calls.ends.begin(), calls.ends.end())) std::sort(calls.ends.begin(), calls.ends.end());
  return calls;
}

}  // namespace dwell
