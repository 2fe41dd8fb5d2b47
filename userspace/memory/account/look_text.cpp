// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/account/look_text.h"
#include "userspace/memory/heap/class_name.h"

namespace dwell::memory {
namespace {

using heap::BlockState;

class LookText {
 public:
  LookText(const MemoryLook& look, const LookTextOptions& options) : look_(look), options_(options) {}

  std::string write() {
    write_header();
    write_headline();
    write_account();
    for (const HeapLook& one : look_.heaps) write_heap(one);
    write_notes();
    return std::move(out_);
  }

 private:
  void line(Paint paint, const std::string& text) { out_ += options_.style.paragraph(paint, text); }
  void title(const std::string& text) {
    out_ += '\n';
    line(Paint::kStrong, text);
  }

  void write_header() {
    line(Paint::kStrong, fmt::format("{} ({})", printable(look_.process.name), look_.process.pid));
    line(Paint::kDim, "  " + printable(look_.process.command_line));
    line(Paint::kDim, fmt::format("  one look, {}, {} read; the process was neither stopped nor changed",
                                  human_duration(look_.duration_ns), bytes_text(look_.bytes_read)));
  }

  void write_headline() {
    line(Paint::kStrong, "\n" + headline_text(look_) + ".");
    for (const HeapLook& one : look_.heaps) {
      if (one.inventory.trimmable >= one.inventory.free().resident / 2 && one.inventory.trimmable > (1 << 20))
        line(Paint::kPlain, fmt::format("malloc_trim(0) would give back about {}.", bytes_text(one.inventory.trimmable)));
    }
    if (look_.account.of(Part::kGoHeap).resident > 0)
      line(Paint::kPlain, fmt::format("What is on the Go heap, by call site: dwell go {} --heap", look_.process.pid));
    else if (!look_.no_heap.empty())
      line(Paint::kWarning, "No heap: " + look_.no_heap);
    if (look_.no_heap.empty() && !look_.unread_allocator.empty())
      line(Paint::kWarning, fmt::format("The heap of {} could not be read: it kept changing, or is of a version that dwell does not know. "
                                        "Its blocks are in \"anonymous mappings\".", printable(look_.unread_allocator)));
  }

  void write_account() {
    title("What RSS consists of");
    TextTable table({{"resident"}, {"share"}, {"swapped", 1}, {""}});
    for (std::size_t i = 0; i < kParts; ++i) {
      const AccountPart& part = look_.account.parts[i];
      bool unexplained = static_cast<Part>(i) == Part::kUnexplained;
      if (part.resident == 0 && part.swapped == 0 && !unexplained) continue;
      table.add({{bytes_text(part.resident)},
                 {percent(static_cast<double>(part.resident), static_cast<double>(look_.account.resident))},
                 {part.swapped ? bytes_text(part.swapped) : "-"},
                 {std::string(name_of(static_cast<Part>(i)))}});
    }
    table.add({{bytes_text(look_.account.resident)}, {"100.0 %"},
               {look_.account.swapped ? bytes_text(look_.account.swapped) : "-"}, {"RSS"}});
    out_ += table.write(options_.style);
    for (const MappingUse& use : look_.account.mappings) {
      if (use.resident < look_.account.resident / 50) break;
      line(Paint::kDim, fmt::format("    anonymous mappings: {} of {:x}-{:x} {}", bytes_text(use.resident), use.mapping.start,
                                    use.mapping.end, printable(use.mapping.path)));
    }
  }

  void write_heap(const HeapLook& one) {
    title(fmt::format("Heap: {}, {}", one.name, counted(one.arenas.size(), "arena")));
    TextTable table({{"blocks"}, {"bytes"}, {"resident"}, {""}});
    for (std::size_t i = 0; i < heap::kBlockStates; ++i) {
      const heap::Amount& amount = one.inventory.by_state[i];
      if (amount.blocks)
        table.add({{count_text(amount.blocks)}, {bytes_text(amount.bytes)}, {bytes_text(amount.resident)},
                   {std::string(name_of(static_cast<BlockState>(i)))}});
    }
    table.add({{"-"}, {bytes_text(one.inventory.headers)}, {"-"}, {"headers of blocks"}});
    out_ += table.write(options_.style);
    write_free(one);
    write_arenas(one);
    write_sizes(one);
    if (one.census) write_census(*one.census, one.inventory.live());
    write_quality(one);
  }

  void write_free(const HeapLook& one) {
    if (one.inventory.trimmable)
      line(Paint::kPlain, fmt::format("  malloc_trim(0) would give back about {}", bytes_text(one.inventory.trimmable)));
    if (one.inventory.pins.empty()) return;
    line(Paint::kPlain, fmt::format("  {} free on pages that a few live blocks keep, by the size of those blocks:",
                                    bytes_text(one.inventory.pinned_bytes)));
    TextTable table({{"free"}, {"blocks"}, {"pages"}, {"size of the live blocks"}});
    for (std::size_t i = 0; i < std::min(options_.rows / 2 + 1, one.inventory.pins.size()); ++i) {
      const heap::Pin& pin = one.inventory.pins[i];
      table.add({{bytes_text(pin.free_bytes)}, {count_text(pin.blocks)}, {count_text(pin.pages)}, {bytes_range(pin.from, pin.to)}});
    }
    out_ += table.write(options_.style);
  }

  void write_arenas(const HeapLook& one) {
    if (one.arenas.size() < 2) return;
    title("By arena");
    std::vector<std::size_t> order(one.arenas.size());
    std::iota(order.begin(), order.end(), 0);
    auto live = [&](std::size_t i) { return one.inventory.by_arena[i][static_cast<std::size_t>(BlockState::kLive)]; };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return live(a).bytes > live(b).bytes; });
    TextTable table({{"live"}, {"blocks"}, {"free"}, {"cached", 1}, {"top", 1}, {"arena"}});
    if (order.size() > options_.rows) order.resize(options_.rows);
    for (std::size_t i : order) {
      const heap::AmountsByState& states = one.inventory.by_arena[i];
      auto bytes = [&](BlockState state) { return states[static_cast<std::size_t>(state)].bytes; };
      table.add({{bytes_text(live(i).bytes)}, {count_text(live(i).blocks)}, {bytes_text(bytes(BlockState::kFree))},
                 {bytes_text(bytes(BlockState::kThreadCache) + bytes(BlockState::kFastbin))},
                 {bytes_text(bytes(BlockState::kTop))},
                 {fmt::format("{:#x}{}", one.arenas[i].address, one.arenas[i].main ? " main" : "")}});
    }
    out_ += table.write(options_.style);
  }

  void write_sizes(const HeapLook& one) {
    std::vector<heap::SizeClass> sizes = one.inventory.sizes;
    std::sort(sizes.begin(), sizes.end(),
              [](const heap::SizeClass& a, const heap::SizeClass& b) { return a.live.bytes > b.live.bytes; });
    title("Live blocks by size");
    TextTable table({{"live"}, {"share"}, {"blocks"}, {"free", 1}, {"size"}});
    for (std::size_t i = 0; i < std::min(options_.rows, sizes.size()); ++i)
      table.add({{bytes_text(sizes[i].live.bytes)},
                 {percent(static_cast<double>(sizes[i].live.bytes), static_cast<double>(one.inventory.live().bytes))},
                 {count_text(sizes[i].live.blocks)},
                 {bytes_text(sizes[i].free.bytes)},
                 {bytes_range(sizes[i].from, sizes[i].to)}});
    out_ += table.write(options_.style);
  }

  void write_census(const heap::Census& census, const heap::Amount& live) {
    title("What is in live blocks");
    TextTable contents({{"live"}, {"share"}, {"blocks"}, {""}});
    for (std::size_t i = 0; i < heap::kContents; ++i) {
      const heap::Amount& amount = census.contents[i];
      if (amount.blocks)
        contents.add({{bytes_text(amount.bytes)},
                      {percent(static_cast<double>(amount.bytes), static_cast<double>(live.bytes))},
                      {count_text(amount.blocks)},
                      {std::string(name_of(static_cast<heap::Content>(i)))}});
    }
    out_ += contents.write(options_.style);
    if (census.types.empty()) return;
    title(fmt::format("Objects by class ({} classes)", count_text(census.types.size())));
    TextTable types({{"live"}, {"blocks"}, {"class"}});
    for (std::size_t i = 0; i < std::min(options_.rows, census.types.size()); ++i)
      types.add({{bytes_text(census.types[i].amount.bytes)},
                 {count_text(census.types[i].amount.blocks)},
                 {printable(heap::class_name(census.types[i].mangled, census.types[i].array))}});
    out_ += types.write(options_.style);
  }

  void write_quality(const HeapLook& one) {
    for (const heap::Checksum& check : one.checksums)
      if (check.said != check.found)
        line(Paint::kWarning, fmt::format("  {} says {} {}; {} were found", one.name, count_text(check.said), check.name,
                                          count_text(check.found)));
    if (one.quality.retries || one.quality.lost_bytes)
      line(Paint::kDim, fmt::format("  The process changed what was being read: read again {} times, {} could not be made "
                                    "sense of", count_text(one.quality.retries), bytes_text(one.quality.lost_bytes)));
  }

  void write_notes() {
    if (look_.swapped_pages)
      line(Paint::kWarning, fmt::format("\n{} of the heap are in swap and were left there: blocks in them are not counted.",
                                        bytes_text(look_.swapped_pages * heap::kPageSize)));
    if (!look_.pages_known)
      line(Paint::kWarning, "\n/proc/PID/pagemap cannot be read: pages count as resident, and were touched by this look.");
  }

  const MemoryLook& look_;
  const LookTextOptions& options_;
  std::string out_;
};

}  // namespace

std::string headline_text(const MemoryLook& look) {
  constexpr std::size_t kMostNamed = 4;
  constexpr std::int64_t kOfRss = 20, kUnexplainedOfRss = 100, kMuch = 1 << 20, kFew = 64 << 10;
  const Account& account = look.account;
  auto resident = static_cast<std::int64_t>(account.resident);
  auto of = [&](Part part) { return account.of(part).resident; };
  std::vector<Part> parts;
  for (std::size_t i = 0; i < kParts; ++i) {
    auto part = static_cast<Part>(i);
    bool always = part == Part::kLive && !look.heaps.empty();
    if (part != Part::kUnexplained && (always || of(part) > resident / kOfRss)) parts.push_back(part);
  }
  std::ranges::stable_sort(parts, [&](Part a, Part b) { return of(a) > of(b); });
  while (parts.size() > kMostNamed) parts.erase(parts.end() - (parts.back() == Part::kLive ? 2 : 1));
  std::int64_t unexplained = of(Part::kUnexplained);
  if (unexplained > std::min(resident / kUnexplainedOfRss, kMuch) || unexplained < -kFew) parts.push_back(Part::kUnexplained);
  std::string text = fmt::format("RSS {}", bytes_text(account.resident));
  for (std::size_t i = 0; i < parts.size(); ++i) text += fmt::format("{} {} {}", i ? "," : ":", bytes_text(of(parts[i])), name_of(parts[i]));
  if (unexplained < -kFew) text += " (the process went on while it was read)";
  if (account.swapped) text += fmt::format("; and {} in swap", bytes_text(account.swapped));
  return text;
}

std::string look_text(const MemoryLook& look, const LookTextOptions& options) { return LookText(look, options).write(); }

}  // namespace dwell::memory
