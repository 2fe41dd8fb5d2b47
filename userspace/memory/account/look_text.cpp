// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "userspace/base/text.h"
#include "userspace/memory/account/look_text.h"
#include "userspace/memory/heap/class_name.h"

namespace dwell::memory {
namespace {

using heap::BlockState;

std::string size_of(std::uint64_t bytes) { return human_bytes(static_cast<double>(bytes)); }
std::string count_of(std::uint64_t count) { return grouped(static_cast<std::int64_t>(count)); }

std::string size_range(std::uint64_t from, std::uint64_t to) {
  return from == to ? size_of(to) : fmt::format("{} to {}", size_of(from), size_of(to));
}

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
                                  human_duration(look_.duration_ns), size_of(look_.bytes_read)));
  }

  void write_headline() {
    const Account& account = look_.account;
    std::string text = fmt::format("\nRSS {}", size_of(account.resident));
    if (!look_.heaps.empty())
      text += fmt::format(": {} live blocks, {} free inside the allocator, {} unexplained",
                          resident(Part::kLive), resident(Part::kFree), resident(Part::kUnexplained));
    if (account.swapped) text += fmt::format("; and {} in swap", size_of(account.swapped));
    line(Paint::kStrong, text + ".");
    for (const HeapLook& one : look_.heaps) {
      if (one.inventory.trimmable >= one.inventory.free().resident / 2 && one.inventory.trimmable > (1 << 20))
        line(Paint::kPlain, fmt::format("malloc_trim(0) would give back about {}.", size_of(one.inventory.trimmable)));
    }
    if (!look_.no_heap.empty()) line(Paint::kWarning, "No heap: " + look_.no_heap);
  }

  std::string resident(Part part) const { return human_bytes(static_cast<double>(look_.account.of(part).resident)); }

  void write_account() {
    title("What RSS consists of");
    TextTable table({{"resident"}, {"share"}, {"swapped", 1}, {""}});
    for (std::size_t i = 0; i < kParts; ++i) {
      const AccountPart& part = look_.account.parts[i];
      bool unexplained = static_cast<Part>(i) == Part::kUnexplained;
      if (part.resident == 0 && part.swapped == 0 && !unexplained) continue;
      table.add({{human_bytes(static_cast<double>(part.resident))},
                 {percent(static_cast<double>(part.resident), static_cast<double>(look_.account.resident))},
                 {part.swapped ? size_of(part.swapped) : "-"},
                 {std::string(name_of(static_cast<Part>(i)))}});
    }
    table.add({{size_of(look_.account.resident)}, {"100.0 %"},
               {look_.account.swapped ? size_of(look_.account.swapped) : "-"}, {"RSS"}});
    out_ += table.write(options_.style);
    for (const MappingUse& use : look_.account.unexplained) {
      if (use.resident < look_.account.resident / 50) break;
      line(Paint::kDim, fmt::format("    unexplained: {} of {:x}-{:x} {}", size_of(use.resident), use.mapping.start,
                                    use.mapping.end, printable(use.mapping.path)));
    }
  }

  void write_heap(const HeapLook& one) {
    title(fmt::format("Heap: {}, {} arena{}", one.name, one.arenas.size(), one.arenas.size() == 1 ? "" : "s"));
    TextTable table({{"blocks"}, {"bytes"}, {"resident"}, {""}});
    for (std::size_t i = 0; i < heap::kBlockStates; ++i) {
      const heap::Amount& amount = one.inventory.by_state[i];
      if (amount.blocks)
        table.add({{count_of(amount.blocks)}, {size_of(amount.bytes)}, {size_of(amount.resident)},
                   {std::string(name_of(static_cast<BlockState>(i)))}});
    }
    table.add({{"-"}, {size_of(one.inventory.headers)}, {"-"}, {"headers of blocks"}});
    out_ += table.write(options_.style);
    write_free(one);
    write_arenas(one);
    write_sizes(one);
    if (one.census) write_census(*one.census, one.inventory.live());
    write_quality(one);
  }

  void write_free(const HeapLook& one) {
    if (one.inventory.trimmable)
      line(Paint::kPlain, fmt::format("  malloc_trim(0) would give back about {}", size_of(one.inventory.trimmable)));
    if (one.inventory.pins.empty()) return;
    line(Paint::kPlain, fmt::format("  {} free on pages that a few live blocks keep, by the size of those blocks:",
                                    size_of(one.inventory.pinned_bytes)));
    TextTable table({{"free"}, {"blocks"}, {"pages"}, {"size of the live blocks"}});
    for (std::size_t i = 0; i < std::min(options_.rows / 2 + 1, one.inventory.pins.size()); ++i) {
      const heap::Pin& pin = one.inventory.pins[i];
      table.add({{size_of(pin.free_bytes)}, {count_of(pin.blocks)}, {count_of(pin.pages)}, {size_range(pin.from, pin.to)}});
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
      table.add({{size_of(live(i).bytes)}, {count_of(live(i).blocks)}, {size_of(bytes(BlockState::kFree))},
                 {size_of(bytes(BlockState::kThreadCache) + bytes(BlockState::kFastbin))},
                 {size_of(bytes(BlockState::kTop))},
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
      table.add({{size_of(sizes[i].live.bytes)},
                 {percent(static_cast<double>(sizes[i].live.bytes), static_cast<double>(one.inventory.live().bytes))},
                 {count_of(sizes[i].live.blocks)},
                 {size_of(sizes[i].free.bytes)},
                 {size_range(sizes[i].from, sizes[i].to)}});
    out_ += table.write(options_.style);
  }

  void write_census(const heap::Census& census, const heap::Amount& live) {
    title("What is in live blocks");
    TextTable contents({{"live"}, {"share"}, {"blocks"}, {""}});
    for (std::size_t i = 0; i < heap::kContents; ++i) {
      const heap::Amount& amount = census.contents[i];
      if (amount.blocks)
        contents.add({{size_of(amount.bytes)},
                      {percent(static_cast<double>(amount.bytes), static_cast<double>(live.bytes))},
                      {count_of(amount.blocks)},
                      {std::string(name_of(static_cast<heap::Content>(i)))}});
    }
    out_ += contents.write(options_.style);
    if (census.types.empty()) return;
    title(fmt::format("Objects by class ({} classes)", count_of(census.types.size())));
    TextTable types({{"live"}, {"blocks"}, {"class"}});
    for (std::size_t i = 0; i < std::min(options_.rows, census.types.size()); ++i)
      types.add({{size_of(census.types[i].amount.bytes)},
                 {count_of(census.types[i].amount.blocks)},
                 {printable(heap::class_name(census.types[i].mangled, census.types[i].array))}});
    out_ += types.write(options_.style);
  }

  void write_quality(const HeapLook& one) {
    for (const heap::Checksum& check : one.checksums)
      if (check.said != check.found)
        line(Paint::kWarning, fmt::format("  {} says {} {}; {} were found", one.name, count_of(check.said), check.name,
                                          count_of(check.found)));
    if (one.quality.retries || one.quality.lost_bytes)
      line(Paint::kDim, fmt::format("  The process changed what was being read: read again {} times, {} could not be made "
                                    "sense of", count_of(one.quality.retries), size_of(one.quality.lost_bytes)));
  }

  void write_notes() {
    if (look_.swapped_pages)
      line(Paint::kWarning, fmt::format("\n{} of the heap are in swap and were left there: blocks in them are not counted.",
                                        size_of(look_.swapped_pages * heap::kPageSize)));
    if (!look_.pages_known)
      line(Paint::kWarning, "\n/proc/PID/pagemap cannot be read: pages count as resident, and were touched by this look.");
  }

  const MemoryLook& look_;
  const LookTextOptions& options_;
  std::string out_;
};

}  // namespace

std::string look_text(const MemoryLook& look, const LookTextOptions& options) { return LookText(look, options).write(); }

}  // namespace dwell::memory
