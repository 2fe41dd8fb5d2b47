// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/go_rows.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "symbolizer/go_table.h"

namespace dwell {
namespace {

using namespace std::string_view_literals;

constexpr UnwindRule kGoUnsupported = {0, 0, DWELL_CFA_UNSUPPORTED, DWELL_BP_SAME};
constexpr UnwindRule kGoRoot = {0, 0, DWELL_CFA_END, DWELL_BP_SAME};
constexpr std::int64_t kMostDepth = std::int64_t{1} << 30;
constexpr std::size_t kPrologue = 128;              // bytes in which rbp is saved, behind the check of the stack's size
constexpr std::size_t kMostAssembly = 16 << 10;     // bytes of a function in assembly
constexpr std::size_t kMostRows = std::size_t{16} << 20;
constexpr std::size_t kCodePiece = std::size_t{4} << 20;
constexpr int kBelowReturnAddress = -16;            // from the canonical frame address

constexpr std::string_view kPushFramePointer = "\x55\x48\x89\xe5"sv;    // push %rbp; mov %rsp,%rbp
constexpr std::string_view kLoadGoroutine = "\x48\x8b\x7c\x24"sv;       // mov N(%rsp),%rdi
constexpr std::string_view kLoadStackEnd = "\x48\x8b\x77\x08"sv;        // mov 8(%rdi),%rsi
constexpr std::string_view kLoadOldStack = "\x48\x8b\x74\x24"sv;        // mov N(%rsp),%rsi
constexpr std::string_view kLoadOldStack0 = "\x48\x8b\x34\x24"sv;       // mov (%rsp),%rsi
constexpr std::string_view kSubDepth = "\x48\x2b\x74\x24"sv;            // sub N(%rsp),%rsi
constexpr std::string_view kSubDepth0 = "\x48\x2b\x34\x24"sv;           // sub (%rsp),%rsi
constexpr std::string_view kBackToOldStack = "\x48\x89\xf4"sv;          // mov %rsi,%rsp
constexpr std::string_view kToGoroutine = "\x48\x89\xfc"sv;             // mov %rdi,%rsp
// mov 48(%rax),%rbx; mov N(%rbx),%rax: the thread, and its goroutine. Before it, the g of the system stack at fs:-8, as
// position-independent programs have it, and others.
constexpr std::string_view kLoadCurrent = "\x48\x8b\x58\x30\x48\x8b\x83"sv;
constexpr std::string_view kLoadOwn = "\x64\x48\x8b\x04\x25\xf8\xff\xff\xff"sv;                        // mov %fs:-8,%rax
constexpr std::string_view kLoadOwnByRegister = "\x48\xc7\xc1\xf8\xff\xff\xff\x64\x48\x8b\x01"sv;  // mov $-8,%rcx; mov %fs:(%rcx),%rax
constexpr std::string_view kPlaceOfOwn = "\x48\xc7\xc1"sv, kPlaceOfOwnLoaded = "\x48\x8b\x0d"sv;         // mov $N,%rcx; mov N(%rip),%rcx
constexpr std::size_t kPlaceOfOwnSize = 7;
constexpr std::string_view kRestoreStack = "\x48\x8b\x64\x24"sv, kRestoreStack0 = "\x48\x8b\x24\x24"sv;  // mov N(%rsp),%rsp

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

// Code of many functions, in ascending order, a piece of the file at a time.
class CodeReader {
 public:
  explicit CodeReader(const ElfFile& elf) : elf_(elf) {}

  std::string_view at(std::uint64_t vaddr, std::size_t size) {
    if (vaddr < begin_ || vaddr - begin_ >= piece_.size() || (piece_.size() - (vaddr - begin_) < size && !is_last_)) read(vaddr);
    return piece_.empty() ? std::string_view() : std::string_view(piece_).substr(vaddr - begin_, size);
  }

 private:
  void read(std::uint64_t vaddr) {
    piece_.clear();
    begin_ = vaddr;
    for (const ElfSegment& segment : elf_.segments()) {
      if (vaddr < segment.vaddr || vaddr - segment.vaddr >= segment.file_size) continue;
      std::uint64_t left = segment.file_size - (vaddr - segment.vaddr);
      is_last_ = left <= kCodePiece;
      Result<std::string> code = elf_.bytes_at(vaddr, std::min<std::uint64_t>(left, kCodePiece));
      if (code) piece_ = std::move(*code);
      return;
    }
  }

  const ElfFile& elf_;
  std::uint64_t begin_ = 0;
  bool is_last_ = false;  // the segment ends with it
  std::string piece_;
};

// Before what they return to lies an instruction that was interrupted, not a call.
bool is_injected_by_runtime(std::string_view name) {
  return name == "runtime.asyncPreempt" || name == "runtime.sigpanic" || name == "runtime.debugCallV2";
}

std::string_view without_abi(std::string_view name) {
  constexpr std::string_view kSuffix = ".abi0";
  return name.ends_with(kSuffix) ? name.substr(0, name.size() - kSuffix.size()) : name;
}

// Where `code` of a function at `entry` calls `target`; the address behind the call. 0: nowhere.
std::uint64_t return_of_call(std::string_view code, std::uint64_t entry, std::uint64_t target) {
  for (std::size_t at = 0; at + 5 <= code.size(); ++at) {
    if (code[at] != '\xe8') continue;
    std::uint64_t end = entry + at + 5;
    if (end + static_cast<std::uint64_t>(std::int64_t{relative_at(code, at + 1)}) == target) return end;
  }
  return 0;
}

class GoRows {
 public:
  GoRows(const ElfFile& elf, GoTable table) : elf_(elf), table_(std::move(table)), code_(elf) {}

  FrameRows read() {
    find_crossing();
    std::uint64_t end = 0;  // functions ascend; those that do not would be as many rows as the file likes
    for (std::size_t i = 0; i < table_.size() && frames_.rows.size() < kMostRows; ++i) {
      std::optional<GoRecord> record = table_.record(i);
      if (!record || record->entry < end || record->end <= record->entry || !is_code(*record)) continue;
      end = record->end;
      add(*record);
    }
    return std::move(frames_);
  }

 private:
  // crosscall2 is where C's call of Go comes in: it calls cgocallback, and nothing else does.
  void find_crossing() {
    std::optional<GoRecord> cgocallback, crosscall2;
    for (std::size_t i = 0; i < table_.size(); ++i) {
      std::optional<GoRecord> record = table_.record(i);
      if (!record) continue;
      if (record->name == "crosscall2") crosscall2 = record;
      if (without_abi(record->name) == "runtime.cgocallback" && is_assembly(*record)) cgocallback = record;
    }
    if (!cgocallback || !crosscall2) return;
    std::uint64_t end = return_of_call(assembly_of(*crosscall2), crosscall2->entry, cgocallback->entry);
    if (end) crosscall2_return_ = static_cast<std::int64_t>(end - cgocallback->entry);
  }

  bool is_code(const GoRecord& record) const {
    for (const ElfSegment& segment : elf_.segments())
      if (segment.executable && record.entry >= segment.vaddr && record.end - segment.vaddr <= segment.file_size) return true;
    return false;
  }

  bool is_assembly(const GoRecord& record) const { return table_.place(record, record.entry).file.ends_with(".s"); }

  std::string assembly_of(const GoRecord& record) {
    return std::string(code_.at(record.entry, std::min<std::size_t>(record.end - record.entry, kMostAssembly)));
  }

  std::vector<SwitchRule> special_rules(std::string_view name, std::string_view code) const {
    if (name == "runtime.asmcgocall") return rules_of_asmcgocall(code);
    if (name == "runtime.systemstack") return rules_of_systemstack(code);
    if (name == "runtime.cgocallback" && crosscall2_return_) return rules_of_cgocallback(code, *crosscall2_return_);
    return rules_of_restored_stacks(code, depths_, saved_.has_value());
  }

  void add(const GoRecord& record) {
    FrameRange range{record.entry, record.end, static_cast<std::uint32_t>(frames_.rows.size()), 0};
    if (record.is_root) {
      frames_.rows.push_back({record.entry, kGoRoot});
    } else {
      bool assembly = is_assembly(record);
      std::string body = assembly ? assembly_of(record) : std::string();
      std::string_view code = assembly ? body : code_.at(record.entry, std::min<std::size_t>(record.end - record.entry, kPrologue));
      add_depths(record, code, assembly ? record.entry + switches_stack_at(code) : record.end);
      if (assembly) add_special(record, code);
    }
    range.row_count = static_cast<std::uint32_t>(frames_.rows.size()) - range.first_row;
    if (range.row_count) frames_.ranges.push_back(range);
  }

  // `trusted_to`: behind that the stack pointer is not what the table says.
  void add_depths(const GoRecord& record, std::string_view code, std::uint64_t trusted_to) {
    std::vector<GoDepth> depths = table_.stack_depths(record);
    depths_.clear();
    std::uint64_t begin = record.entry;
    for (const GoDepth& depth : depths) {
      depths_.push_back({begin - record.entry, depth.depth});
      begin = depth.end;
    }
    saved_ = saves_frame_pointer_at(code, depths_);
    bool injected = is_injected_by_runtime(record.name);
    // Nothing is below the call that leaves a goroutine's stack for good.
    UnwindRule behind = without_abi(record.name) == "runtime.mcall" ? kGoRoot : kGoUnsupported;
    for (const GoDepthAt& at : depths_) {
      std::uint64_t vaddr = record.entry + at.begin;
      if (vaddr >= trusted_to) break;
      UnwindRule rule = kGoUnsupported;
      if (at.depth >= 0 && at.depth < kMostDepth && at.depth % 8 == 0)
        rule = {static_cast<__s32>(at.depth + 8), 0, static_cast<__u8>(injected ? DWELL_CFA_SP_INJECTED : DWELL_CFA_SP),
                static_cast<__u8>(at.depth == 0 || saved_ ? DWELL_BP_SAME : DWELL_BP_LOST)};
      if (saved_ && at.depth > 0 && at.begin >= *saved_) keep_frame_pointer(rule);
      frames_.rows.push_back({vaddr, rule});
      if (!saved_ || at.depth <= 0 || at.begin >= *saved_ || at.begin + 16 < *saved_) continue;
      keep_frame_pointer(rule);
      frames_.rows.push_back({record.entry + *saved_, rule});
    }
    std::uint64_t known_to = depths.empty() ? record.entry : depths.back().end;
    if (std::uint64_t end = std::min(trusted_to, known_to); end < record.end) frames_.rows.push_back({end, behind});
  }

  static void keep_frame_pointer(UnwindRule& rule) {
    rule.bp = DWELL_BP_AT_CFA;
    rule.bp_offset = kBelowReturnAddress;
  }

  // Over the one byte in which the call ends.
  void add_special(const GoRecord& record, std::string_view code) {
    for (const SwitchRule& special : special_rules(without_abi(record.name), code)) {
      std::uint64_t end = record.entry + special.offset;
      frames_.rows.push_back({end - 1, special.rule});
      frames_.rows.push_back({end, kGoUnsupported});
    }
  }

  const ElfFile& elf_;
  GoTable table_;
  CodeReader code_;
  std::optional<std::int64_t> crosscall2_return_;
  std::vector<GoDepthAt> depths_;       // of the function that is being read
  std::optional<std::uint64_t> saved_;  // from where on it keeps its caller's rbp
  FrameRows frames_;
};

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
      std::string_view save = wide ? "\x48\x89\xac\x24"sv : "\x48\x89\x6c\x24"sv;
      std::string_view take = wide ? "\x48\x8d\xac\x24"sv : "\x48\x8d\x6c\x24"sv;
      std::size_t number = wide ? 4 : 1, next = at + 4 + number;
      if (!stands_at(code, at, save) || !stands_at(code, next, take)) continue;
      std::int64_t first = wide ? relative_at(code, at + 4) : small_number(code, at + 4).value_or(0);
      std::int64_t second = wide ? relative_at(code, next + 4) : small_number(code, next + 4).value_or(0);
      if (first == slot && second == slot) return next;
    }
  }
  return std::nullopt;
}

FrameRows go_frames(const ElfFile& elf) {
  GoTable table = GoTable::read(elf);
  return table.size() ? GoRows(elf, std::move(table)).read() : FrameRows{};
}

}  // namespace dwell
