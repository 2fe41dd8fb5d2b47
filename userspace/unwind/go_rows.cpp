// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/go_rows.h"

#include <algorithm>
#include <string>
#include <utility>

#include "symbolizer/go_table.h"
#include "userspace/unwind/go_switches.h"

namespace dwell {
namespace {

constexpr UnwindRule kGoUnsupported = {0, 0, DWELL_CFA_UNSUPPORTED, DWELL_BP_SAME};
constexpr UnwindRule kGoRoot = {0, 0, DWELL_CFA_END, DWELL_BP_SAME};
constexpr std::int64_t kMostDepth = std::int64_t{1} << 30;
constexpr std::size_t kPrologue = 128;              // bytes in which rbp is saved, behind the check of the stack's size
constexpr std::size_t kMostAssembly = 16 << 10;     // bytes of a function in assembly
constexpr std::size_t kMostRows = std::size_t{16} << 20;
constexpr std::size_t kCodePiece = std::size_t{4} << 20;

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

FrameRows go_frames(const ElfFile& elf) {
  GoTable table = GoTable::read(elf);
  return table.size() ? GoRows(elf, std::move(table)).read() : FrameRows{};
}

}  // namespace dwell
