// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/go_switches.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace dwell {
namespace {

constexpr std::string_view kPushFramePointer = "\x55\x48\x89\xe5";    // push %rbp; mov %rsp,%rbp
constexpr std::string_view kLoadGoroutine = "\x48\x8b\x7c\x24";       // mov N(%rsp),%rdi
constexpr std::string_view kLoadStackEnd = "\x48\x8b\x77\x08";        // mov 8(%rdi),%rsi
constexpr std::string_view kLoadOldStack = "\x48\x8b\x74\x24";        // mov N(%rsp),%rsi
constexpr std::string_view kLoadOldStack0 = "\x48\x8b\x34\x24";       // mov (%rsp),%rsi
constexpr std::string_view kSubDepth = "\x48\x2b\x74\x24";            // sub N(%rsp),%rsi
constexpr std::string_view kSubDepth0 = "\x48\x2b\x34\x24";           // sub (%rsp),%rsi
constexpr std::string_view kBackToOldStack = "\x48\x89\xf4";          // mov %rsi,%rsp
constexpr std::string_view kToGoroutine = "\x48\x89\xfc";             // mov %rdi,%rsp
// mov 48(%rax),%rbx; mov N(%rbx),%rax: the thread, and its goroutine. Before it, the g of the system stack at fs:-8, as
// position-independent programs have it, and others.
constexpr std::string_view kLoadCurrent = "\x48\x8b\x58\x30\x48\x8b\x83";
constexpr std::string_view kLoadOwn = "\x64\x48\x8b\x04\x25\xf8\xff\xff\xff";                        // mov %fs:-8,%rax
constexpr std::string_view kLoadOwnByRegister = "\x48\xc7\xc1\xf8\xff\xff\xff\x64\x48\x8b\x01";  // mov $-8,%rcx; mov %fs:(%rcx),%rax
constexpr std::string_view kPlaceOfOwn = "\x48\xc7\xc1", kPlaceOfOwnLoaded = "\x48\x8b\x0d";         // mov $N,%rcx; mov N(%rip),%rcx
constexpr std::size_t kPlaceOfOwnSize = 7;
constexpr std::string_view kRestoreStack = "\x48\x8b\x64\x24", kRestoreStack0 = "\x48\x8b\x24\x24";  // mov N(%rsp),%rsp

bool stands_at(std::string_view code, std::size_t at, std::string_view bytes) {
  return at <= code.size() && code.substr(at, bytes.size()) == bytes;
}

// A number in the instruction, not negative.
std::optional<std::uint32_t> small_number(std::string_view code, std::size_t at) {
  if (at >= code.size() || static_cast<unsigned char>(code[at]) > 127) return std::nullopt;
  return static_cast<unsigned char>(code[at]);
}

std::int32_t relative_at(std::string_view code, std::size_t at) {
  std::int32_t value = 0;
  if (at + 4 <= code.size()) std::memcpy(&value, code.data() + at, 4);
  return value;
}

// call %reg, or call rel32, that ends there.
bool ends_call(std::string_view code, std::size_t end) {
  if (end >= 2 && code[end - 2] == '\xff' && (code[end - 1] & '\xf8') == '\xd0') return true;
  return end >= 5 && code[end - 5] == '\xe8';
}

// Behind what position-independent programs do first: find out where their g is.
std::size_t past_place_of_own(std::string_view code, std::size_t at) {
  return stands_at(code, at, kPlaceOfOwn) || stands_at(code, at, kPlaceOfOwnLoaded) ? at + kPlaceOfOwnSize : at;
}

std::int16_t pushes_of(std::string_view code) { return stands_at(code, 0, kPushFramePointer) ? 1 : 0; }

}  // namespace

std::vector<SwitchRule> rules_of_asmcgocall(std::string_view code) {
  std::vector<SwitchRule> rules;
  std::int16_t pushes = pushes_of(code);
  for (std::size_t end = 1; end < code.size(); ++end) {
    if (!ends_call(code, end)) continue;
    std::size_t at = past_place_of_own(code, end);
    // Back to the goroutine: its g is on the system stack, and how deep its own stack was.
    std::optional<std::uint32_t> goroutine = stands_at(code, at, kLoadGoroutine) ? small_number(code, at + 4) : std::nullopt;
    if (goroutine && stands_at(code, at + 5, kLoadStackEnd)) {
      std::optional<std::uint32_t> depth;
      if (stands_at(code, at + 9, kSubDepth)) depth = small_number(code, at + 13);
      if (stands_at(code, at + 9, kSubDepth0)) depth = 0;
      if (depth && end < static_cast<std::size_t>(std::numeric_limits<__s16>::max()))
        rules.push_back({end, {static_cast<__s32>(*goroutine << 16 | *depth << 8 | static_cast<std::uint32_t>(pushes)),
                              static_cast<__s16>(end), DWELL_CFA_GOROUTINE, DWELL_BP_SAME}});
    }
    // It was on the system stack already: only the old stack pointer is there.
    std::optional<std::uint32_t> old;
    std::size_t size = 4;
    if (stands_at(code, at, kLoadOldStack)) old = small_number(code, at + size++);
    if (stands_at(code, at, kLoadOldStack0)) old = 0;
    if (!old || !stands_at(code, at + size, kBackToOldStack)) continue;
    UnwindRule rule = {static_cast<__s32>(*old << 8 | 8u), 0, DWELL_CFA_DEREF_SP, DWELL_BP_SAME};
    if (pushes) rule = {static_cast<__s32>(*old << 8 | 16u), kBelowReturnAddress, DWELL_CFA_DEREF_SP, DWELL_BP_AT_CFA};
    rules.push_back({end, rule});
  }
  return rules;
}

std::vector<SwitchRule> rules_of_systemstack(std::string_view code) {
  std::vector<SwitchRule> rules;
  for (std::size_t end = 2; end < code.size() && end < static_cast<std::size_t>(std::numeric_limits<__s16>::max()); ++end) {
    if (!ends_call(code, end)) continue;
    std::size_t at = end;
    for (std::string_view own : {kLoadOwn, kLoadOwnByRegister})
      if (stands_at(code, end, own)) at = end + own.size();
    if (at == end || !stands_at(code, at, kLoadCurrent)) continue;
    std::int32_t current = relative_at(code, at + kLoadCurrent.size());
    if (current <= 0 || current > 0x7fff) continue;
    rules.push_back({end, {current << 8 | pushes_of(code), static_cast<__s16>(end), DWELL_CFA_SYSTEM_STACK, DWELL_BP_SAME}});
  }
  return rules;
}

std::vector<SwitchRule> rules_of_restored_stacks(std::string_view code, const std::vector<GoDepthAt>& depths, bool saves_frame_pointer) {
  std::vector<SwitchRule> rules;
  for (std::size_t end = 1; end < code.size(); ++end) {
    std::optional<std::uint32_t> old;
    if (stands_at(code, end, kRestoreStack)) old = small_number(code, end + kRestoreStack.size());
    if (stands_at(code, end, kRestoreStack0)) old = 0;
    if (!old || !ends_call(code, end)) continue;
    std::int64_t depth = -1;
    for (const GoDepthAt& from : depths)
      if (from.begin < end) depth = from.depth;
    if (depth < 0 || depth > 240 || depth % 8) continue;
    UnwindRule rule = {static_cast<__s32>(*old << 8 | static_cast<std::uint32_t>(depth + 8)), 0, DWELL_CFA_DEREF_SP, DWELL_BP_SAME};
    if (saves_frame_pointer) {
      rule.bp = DWELL_BP_AT_CFA;
      rule.bp_offset = kBelowReturnAddress;
    } else if (depth) {
      rule.bp = DWELL_BP_LOST;
    }
    rules.push_back({end, rule});
  }
  return rules;
}

std::vector<SwitchRule> rules_of_cgocallback(std::string_view code, std::int64_t crosscall2_return) {
  constexpr std::size_t kNear = 48;  // arguments are put on the new stack between
  std::size_t to = code.find(kToGoroutine);
  if (to == std::string_view::npos || code.find(kToGoroutine, to + 1) != std::string_view::npos) return {};
  for (std::size_t at = to + kToGoroutine.size() + 2; at < std::min(code.size(), to + kNear); ++at) {
    if (!(code[at - 2] == '\xff' && (code[at - 1] & '\xf8') == '\xd0')) continue;
    std::int64_t distance = crosscall2_return - static_cast<std::int64_t>(at);
    if (distance != static_cast<__s32>(distance)) return {};
    return {{at, {static_cast<__s32>(distance), 0, DWELL_CFA_CALLED_BY_C, DWELL_BP_SAME}}};
  }
  return {};
}

std::uint64_t switches_stack_at(std::string_view code) {
  for (std::size_t at = 0; at + 3 <= code.size(); ++at) {
    unsigned char size = static_cast<unsigned char>(code[at]), operation = static_cast<unsigned char>(code[at + 1]);
    unsigned char operands = static_cast<unsigned char>(code[at + 2]);
    if ((size & 0xf8) != 0x48) continue;  // 64 bits
    // Bits of the prefix make other registers of the same numbers.
    bool first_is_sp = !(size & 4) && (operands >> 3 & 7) == 4, second_is_sp = !(size & 1) && (operands & 0xc7) == 0xc4;
    bool of_itself = (operands & 7) == 4 && at + 3 < code.size() && (code[at + 3] & 7) == 4;
    bool load = operation == 0x8b && first_is_sp;                                   // mov ...,%rsp
    bool address = operation == 0x8d && first_is_sp && !of_itself;                  // lea ...,%rsp
    bool move = operation == 0x89 && second_is_sp;                                  // mov %reg,%rsp
    bool exchange = operation == 0x87 && (first_is_sp || second_is_sp);             // xchg
    bool align = (operation == 0x83 || operation == 0x81) && operands == 0xe4 && second_is_sp;  // and $N,%rsp
    if (load || address || move || exchange || align) return at;
  }
  return code.size();
}

std::optional<std::uint64_t> saves_frame_pointer_at(std::string_view code, const std::vector<GoDepthAt>& depths) {
  for (std::size_t i = 1; i < depths.size(); ++i) {
    if (depths[i - 1].depth != 0 || depths[i].depth <= 0) continue;
    std::uint64_t at = depths[i].begin;
    std::int64_t depth = depths[i].depth;
    if (depth == 8 && at >= 1 && stands_at(code, at - 1, kPushFramePointer)) return at;
    // mov %rbp,N(%rsp); lea N(%rsp),%rbp
    std::int64_t slot = depth - 8;
    for (bool wide : {false, true}) {
      std::string_view save = wide ? "\x48\x89\xac\x24" : "\x48\x89\x6c\x24";
      std::string_view take = wide ? "\x48\x8d\xac\x24" : "\x48\x8d\x6c\x24";
      std::size_t number = wide ? 4 : 1, next = at + 4 + number;
      if (!stands_at(code, at, save) || !stands_at(code, next, take)) continue;
      std::int64_t first = wide ? relative_at(code, at + 4) : small_number(code, at + 4).value_or(0);
      std::int64_t second = wide ? relative_at(code, next + 4) : small_number(code, next + 4).value_or(0);
      if (first == slot && second == slot) return next;
    }
  }
  return std::nullopt;
}

std::uint64_t return_of_call(std::string_view code, std::uint64_t entry, std::uint64_t target) {
  for (std::size_t at = 0; at + 5 <= code.size(); ++at) {
    if (code[at] != '\xe8') continue;
    std::uint64_t end = entry + at + 5;
    if (end + static_cast<std::uint64_t>(std::int64_t{relative_at(code, at + 1)}) == target) return end;
  }
  return 0;
}

}  // namespace dwell
