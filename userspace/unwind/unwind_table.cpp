// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/unwind_table.h"

#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <unordered_map>

#include "symbolizer/go_file.h"
#include "userspace/unwind/call_sites.h"
#include "userspace/unwind/code_frames.h"
#include "userspace/unwind/go_rows.h"

namespace dwell {
namespace {

constexpr std::size_t kMaxFrameSection = std::size_t{256} << 20;
constexpr std::size_t kTextPiece = std::size_t{4} << 20;
constexpr std::size_t kLongestPattern = 16;  // calls and the patterns below are shorter

// Code whose meaning for a stack is known by its bytes, whatever the unwind information says.
struct CodePattern {
  std::string_view bytes;
  UnwindRule rule;
};

// The C library's return from a signal handler: mov $15,%rax; syscall. musl and Go describe it nowhere.
constexpr std::string_view kSignalReturn("\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9);
// glibc's __start_context, where a makecontext() function returns to: mov %rbx,%rsp; mov (%rsp),%rdi;
// test %rdi,%rdi. Nothing calls it, and in front of it lies some other function.
constexpr std::string_view kStartContext("\x48\x89\xdc\x48\x8b\x3c\x24\x48\x85\xff", 10);

constexpr CodePattern kPatterns[] = {
    {kSignalReturn, {0, 0, DWELL_CFA_SIGNAL, DWELL_BP_SAME}},
    {kStartContext, {0, 0, DWELL_CFA_END, DWELL_BP_SAME}},
};

struct PatternSite {
  std::uint64_t vaddr;
  const CodePattern* pattern;
};

struct TextScan {
  std::vector<std::uint64_t> call_ends, call_targets;
  std::vector<PatternSite> sites;
};

void find_patterns(std::string_view code, std::uint64_t vaddr, std::vector<PatternSite>& sites) {
  for (const CodePattern& pattern : kPatterns) {
    const char* at = code.data();
    const char* end = code.data() + code.size();
    while (true) {
      at = static_cast<const char*>(::memmem(at, end - at, pattern.bytes.data(), pattern.bytes.size()));
      if (!at) break;
      sites.push_back({vaddr + static_cast<std::uint64_t>(at - code.data()), &pattern});
      at++;
    }
  }
}

struct TextRange {
  std::uint64_t begin, end;
};

// Executable segments as far as they are in the file: what a header only claims would be zeros by the
// gigabyte.
std::vector<TextRange> text_pieces(const ElfFile& elf) {
  std::vector<TextRange> pieces;
  for (const ElfSegment& segment : elf.segments()) {
    if (!segment.executable || segment.file_offset >= elf.file_size()) continue;
    std::uint64_t size = std::min(segment.file_size, elf.file_size() - segment.file_offset);
    if (size > 0 && segment.vaddr + size > segment.vaddr)
      pieces.push_back({segment.vaddr, segment.vaddr + size});
  }
  return pieces;
}

// From the lowest to the highest.
TextRange span_of(const std::vector<TextRange>& pieces) {
  TextRange span = {std::numeric_limits<std::uint64_t>::max(), 0};
  for (const TextRange& piece : pieces) {
    span.begin = std::min(span.begin, piece.begin);
    span.end = std::max(span.end, piece.end);
  }
  return span;
}

// Reads the text in pieces that overlap by less than anything that is looked for. Segments that overlap would
// be read over and over: what is read in all is bounded by what a file of its size can hold.
Result<TextScan> scan_text(const ElfFile& elf, const std::vector<TextRange>& pieces, const TextRange& span) {
  TextScan scan;
  std::uint64_t left = elf.file_size();
  for (const TextRange& piece : pieces) {
    if (piece.end - piece.begin > left) break;
    left -= piece.end - piece.begin;
    for (std::uint64_t at = piece.begin; at < piece.end; at += kTextPiece) {
      Result<std::string> code =
          elf.bytes_at(at, std::min<std::uint64_t>(piece.end - at, kTextPiece + kLongestPattern));
      if (!code) return code.error().because_of("read code of " + elf.path());
      CallSites calls = find_calls(*code, at, span.begin, span.end);
      scan.call_ends.insert(scan.call_ends.end(), calls.ends.begin(), calls.ends.end());
      scan.call_targets.insert(scan.call_targets.end(), calls.targets.begin(), calls.targets.end());
      find_patterns(*code, at, scan.sites);
      if (piece.end - at <= kTextPiece) break;
    }
  }
  std::sort(scan.call_ends.begin(), scan.call_ends.end());
  std::sort(scan.sites.begin(), scan.sites.end(),
            [](const PatternSite& a, const PatternSite& b) { return a.vaddr < b.vaddr; });
  return scan;
}

UnwindRule rule_at(const std::vector<UnwindRow>& rows, std::uint64_t vaddr) {
  auto after = std::upper_bound(rows.begin(), rows.end(), vaddr,
                                [](std::uint64_t pc, const UnwindRow& row) { return pc < row.vaddr; });
  return after == rows.begin() ? kNoRule : std::prev(after)->rule;
}

// Puts `rule` over [begin, end).
void overlay(std::vector<UnwindRow>& rows, std::uint64_t begin, std::uint64_t end, const UnwindRule& rule) {
  UnwindRule after = rule_at(rows, end);
  auto by_vaddr = [](const UnwindRow& row, std::uint64_t pc) { return row.vaddr < pc; };
  auto first = std::lower_bound(rows.begin(), rows.end(), begin, by_vaddr);
  auto last = std::lower_bound(rows.begin(), rows.end(), end, by_vaddr);
  bool row_at_end = last != rows.end() && last->vaddr == end;
  auto at = rows.erase(first, last);
  at = rows.insert(at, {begin, rule});
  if (!row_at_end) rows.insert(std::next(at), {end, after});
}

void apply_patterns(std::vector<UnwindRow>& rows, const std::vector<PatternSite>& sites) {
  constexpr std::size_t kMaxSites = 1000;  // each costs a pass over the rows; real modules have one
  for (std::size_t i = 0; i < std::min(sites.size(), kMaxSites); i++) {
    const PatternSite& site = sites[i];
    if (site.vaddr == 0) continue;
    // One byte earlier: nothing calls these, so the pc to look up is the byte before.
    overlay(rows, site.vaddr - 1, site.vaddr + site.pattern->bytes.size(), site.pattern->rule);
  }
}

void sort_ranges(std::vector<FrameRange>& ranges) {
  std::stable_sort(ranges.begin(), ranges.end(),
                   [](const FrameRange& a, const FrameRange& b) { return a.begin < b.begin; });
}

// All of `base`, and of `more` what begins where `base` has nothing. Sorted.
FrameRows combine(FrameRows base, const FrameRows& more) {
  sort_ranges(base.ranges);
  std::size_t known = base.ranges.size();
  std::size_t moved_rows = base.rows.size();
  auto covered = [&](std::uint64_t pc) {
    auto end = base.ranges.begin() + static_cast<std::ptrdiff_t>(known);
    auto after =
        std::upper_bound(base.ranges.begin(), end, pc,
                         [](std::uint64_t wanted, const FrameRange& range) { return wanted < range.begin; });
    return after != base.ranges.begin() && pc < std::prev(after)->end;
  };
  for (FrameRange range : more.ranges) {
    if (covered(range.begin)) continue;
    range.first_row += static_cast<std::uint32_t>(moved_rows);
    base.ranges.push_back(range);
  }
  if (base.ranges.size() > known) {
    base.rows.insert(base.rows.end(), more.rows.begin(), more.rows.end());
    sort_ranges(base.ranges);
  }
  return base;
}

// Appends sorted ranges' rows; where ranges overlap, the later one's begin ends the earlier.
std::vector<UnwindRow> flatten(const FrameRows& frames) {
  std::vector<UnwindRow> out;
  out.reserve(frames.rows.size() + frames.ranges.size() / 8);
  std::uint64_t covered_to = 0;
  for (std::size_t i = 0; i < frames.ranges.size(); i++) {
    const FrameRange& range = frames.ranges[i];
    bool last = i + 1 == frames.ranges.size();
    if (!last && frames.ranges[i + 1].begin == range.begin) continue;  // the same function twice
    std::uint64_t end = last ? range.end : std::min(range.end, frames.ranges[i + 1].begin);
    if (!out.empty() && covered_to < range.begin) out.push_back({covered_to, kNoRule});
    for (std::uint32_t r = 0; r < range.row_count; r++) {
      const UnwindRow& row = frames.rows[range.first_row + r];
      if (row.vaddr >= end) break;
      out.push_back(row);
    }
    covered_to = end;
  }
  if (!out.empty()) out.push_back({covered_to, kNoRule});
  return out;
}

RowTable to_table(const std::vector<UnwindRow>& rows, std::uint64_t base, std::uint64_t size,
                  std::vector<UnwindRule>& rules) {
  std::unordered_map<std::uint64_t, std::uint32_t> indices;
  for (std::uint32_t i = 0; i < rules.size(); i++) indices.emplace(rule_word(rules[i]), i);

  RowTable table;
  table.rows.reserve(rows.size());
  for (const UnwindRow& row : rows) {
    if (row.vaddr < base || row.vaddr - base >= size) continue;
    auto [found, added] = indices.try_emplace(rule_word(row.rule), static_cast<std::uint32_t>(rules.size()));
    if (added) rules.push_back(row.rule);
    if (!table.rows.empty() && table.rows.back().rule == found->second) continue;
    table.rows.push_back({static_cast<std::uint32_t>(row.vaddr - base), found->second});
  }
  table.rows.shrink_to_fit();
  return table;
}

Result<FrameRows> read_frames(const ElfFile& elf, std::string_view name, FrameSection kind) {
  const ElfSection* section = elf.section(name);
  if (!section) return FrameRows{};
  Result<std::string> bytes = elf.section_bytes(name, kMaxFrameSection);
  if (!bytes) return bytes.error();
  return parse_frames(*bytes, section->vaddr, kind);
}

// What no range of `frames`, which are sorted, describes. Padding between functions is no gap.
std::vector<TextRange> undescribed(const FrameRows& frames, const std::vector<TextRange>& pieces) {
  constexpr std::uint64_t kPadding = 16;
  std::vector<TextRange> gaps;
  std::size_t next = 0;
  for (TextRange piece : pieces) {
    while (next < frames.ranges.size() && frames.ranges[next].begin < piece.end) {
      const FrameRange& range = frames.ranges[next++];
      if (range.begin >= piece.begin + kPadding) gaps.push_back({piece.begin, range.begin});
      piece.begin = std::max(piece.begin, range.end);
    }
    if (piece.begin + kPadding <= piece.end) gaps.push_back(piece);
  }
  return gaps;
}

// Reads the frames of undescribed code out of it: musl has no unwind information, nor have the first
// instructions of programs. More than a library's worth of it is something else (generated code in the binary
// of a JIT compiler), and that has frame pointers.
FrameRows frames_of_code(const ElfFile& elf, const FrameRows& described, std::vector<TextRange> pieces,
                         const std::vector<std::uint64_t>& call_targets) {
  constexpr std::uint64_t kMaxAnalyzed = std::uint64_t{1} << 20;
  // Go's own table knows its code; where it does not, rbp leads on. A frame that is half understood would lose it.
  if (is_go_file(elf)) return {};
  std::sort(pieces.begin(), pieces.end(),
            [](const TextRange& a, const TextRange& b) { return a.begin < b.begin; });
  std::vector<TextRange> gaps = undescribed(described, pieces);
  std::uint64_t total = 0;
  for (const TextRange& gap : gaps) total += gap.end - gap.begin;
  if (total > kMaxAnalyzed) return {};

  std::vector<std::string> bytes;
  for (const TextRange& gap : gaps) {
    Result<std::string> read = elf.bytes_at(gap.begin, gap.end - gap.begin);
    bytes.push_back(read ? std::move(*read) : std::string());
  }
  std::vector<CodePiece> code;
  for (std::size_t i = 0; i < gaps.size(); i++) code.push_back({gaps[i].begin, bytes[i]});
  std::vector<std::uint64_t> entries = {elf.entry()};
  for (const ElfSymbol& symbol : elf.symbols())
    if (symbol.defined && symbol.type == STT_FUNC) entries.push_back(symbol.vaddr);
  return analyze_code(code, entries, call_targets);
}

}  // namespace

const dwell_unwind_row* RowTable::at(std::uint32_t pc) const {
  auto after =
      std::upper_bound(rows.begin(), rows.end(), pc,
                       [](std::uint32_t wanted, const dwell_unwind_row& row) { return wanted < row.pc; });
  return after == rows.begin() ? nullptr : &*std::prev(after);
}

UnwindRule UnwindTable::full_rule_at(std::uint64_t vaddr) const {
  if (vaddr < base || vaddr - base >= size) return kNoRule;
  const dwell_unwind_row* row = full.at(static_cast<std::uint32_t>(vaddr - base));
  return row ? rules[row->rule] : kNoRule;
}

std::vector<UnwindRow> merge_frames(FrameRows eh_frame, FrameRows debug_frame) {
  return flatten(combine(std::move(eh_frame), debug_frame));
}

std::vector<UnwindRow> keep_call_rows(const std::vector<UnwindRow>& rows,
                                      const std::vector<std::uint64_t>& call_ends) {
  std::vector<UnwindRow> kept;
  std::size_t call = 0;
  for (std::size_t i = 0; i < rows.size(); i++) {
    while (call < call_ends.size() && call_ends[call] < rows[i].vaddr) call++;
    if (call == call_ends.size()) break;
    bool last = i + 1 == rows.size();
    if (!last && call_ends[call] >= rows[i + 1].vaddr) continue;
    if (!kept.empty() && kept.back().rule == rows[i].rule) continue;
    kept.push_back(rows[i]);
  }
  return kept;
}

Result<UnwindTable> build_unwind_table(const ElfFile& elf, TableRows wanted) {
  std::vector<TextRange> pieces = text_pieces(elf);
  TextRange range = span_of(pieces);
  UnwindTable table;
  table.rules.push_back(kNoRule);
  if (range.begin >= range.end) return table;
  table.base = range.begin & ~std::uint64_t{4095};
  table.size = range.end - table.base;
  if (table.size > std::numeric_limits<std::uint32_t>::max())
    return Error{fmt::format("unwind {}: its code spans {} bytes, more than 4 GiB", elf.path(), table.size),
                 "", Exit::kUnsupported};

  Result<FrameRows> eh_frame = read_frames(elf, ".eh_frame", FrameSection::kEhFrame);
  if (!eh_frame) return eh_frame.error();
  Result<FrameRows> debug_frame = read_frames(elf, ".debug_frame", FrameSection::kDebugFrame);
  if (!debug_frame) debug_frame = FrameRows{};  // only an addition, and often damaged by strip tools
  table.bad_entries = eh_frame->bad_entries + debug_frame->bad_entries;
  FrameRows frames = combine(combine(std::move(*eh_frame), go_frames(elf)), *debug_frame);

  Result<TextScan> scan = scan_text(elf, pieces, range);
  if (!scan) return scan.error();
  frames = combine(std::move(frames), frames_of_code(elf, frames, pieces, scan->call_targets));
  std::vector<UnwindRow> rows = flatten(frames);
  apply_patterns(rows, scan->sites);
  for (const PatternSite& site : scan->sites) scan->call_ends.push_back(site.vaddr - 1);
  std::sort(scan->call_ends.begin(), scan->call_ends.end());

  table.calls = to_table(keep_call_rows(rows, scan->call_ends), table.base, table.size, table.rules);
  if (wanted == TableRows::kFull) table.full = to_table(rows, table.base, table.size, table.rules);
  return table;
}

}  // namespace dwell
