// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/musl_context.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "userspace/memory/heap/module_data.h"

namespace dwell::memory::heap {
namespace {

constexpr std::array<std::uint16_t, kMuslClasses> kUnits{
    1,   2,   3,   4,   5,   6,   7,   8,   9,    10,   12,   15,   18,   20,   25,   31,
    36,  42,  50,  63,  72,  84,  102, 127, 146,  170,  204,  255,  292,  340,  409,  511,
    584, 682, 818, 1023, 1169, 1364, 1637, 2047, 2340, 2730, 3276, 4095, 4680, 5460, 6552, 8191};
constexpr std::uint32_t kOwnMapping = 63;  // class of what was mapped for one block
constexpr std::size_t kMetasInArea = 101;
constexpr std::size_t kMostAreas = 1 << 22;
constexpr int kMetaTries = 3;

struct Context {
  std::uint64_t secret;
  std::uint32_t begun, mappings;
  std::uint64_t free_meta, available_meta, metas_left, areas_left, shift, first_area, last_area, next_area;
  std::uint64_t active[kMuslClasses], slots[kMuslClasses];
};

struct Area {
  std::uint64_t secret, next;
  std::uint32_t metas, unused;
  MuslMeta slots[kMetasInArea];
};

bool is_area_address(std::uint64_t address) { return address && address % kPageSize == 0 && address >> 47 == 0; }

class ContextFinder {
 public:
  explicit ContextFinder(const Target& target) : target_(target) {}

  std::optional<Context> find() const {
    std::vector<std::uint64_t> words;
    for (const Range& data : module_data(target_.mappings)) {
      words.resize((data.end - data.start) / 8);
      words.resize(target_.memory.read_some(data.start, words.data(), words.size() * 8) / 8);
      for (std::size_t i = 0; i + sizeof(Context) / 8 <= words.size(); ++i) {
        // Most words are told by these alone.
        if (static_cast<std::uint32_t>(words[i + 1]) != 1 || !is_area_address(words[i + 7]) || !is_area_address(words[i + 8])) continue;
        Context context;
        std::memcpy(&context, &words[i], sizeof context);
        if (is_one(context)) return context;
      }
    }
    return std::nullopt;
  }

 private:
  bool is_one(const Context& context) const {
    if (context.begun != 1 || !context.secret || !is_area_address(context.first_area)) return false;
    if (!is_area_address(context.last_area) || context.metas_left > kMetasInArea || context.shift > 32) return false;
    return has_secret(context.first_area, context.secret) && has_secret(context.last_area, context.secret);
  }
  bool has_secret(std::uint64_t area, std::uint64_t secret) const {
    struct Head {
      std::uint64_t secret, next;
      std::uint32_t metas;
    };
    auto head = target_.memory.load<Head>(area);
    return head && head->secret == secret && head->metas == kMetasInArea;
  }

  const Target& target_;
};

class GroupReader {
 public:
  explicit GroupReader(const Target& target) : target_(target) {}

  MuslHeap read(const Context& context) {
    heap_.said_slots = std::accumulate(std::begin(context.slots), std::end(context.slots), std::uint64_t{0});
    for (std::uint64_t at = context.first_area; is_area_address(at) && heap_.areas.size() < kMostAreas;) {
      auto area = target_.memory.load<Area>(at);
      if (!area || area->secret != context.secret) break;
      heap_.areas.push_back(at);
      for (std::size_t i = 0; i < kMetasInArea; ++i) add(area->slots[i], at + offsetof(Area, slots) + i * sizeof(MuslMeta));
      if (area->next == context.first_area) break;
      at = area->next;
    }
    std::ranges::sort(heap_.groups, {}, &MuslMeta::group);
    return std::move(heap_);
  }

 private:
  // A group begins with the address of its meta. While it is being made or given back, that is not so yet, or no more.
  void add(MuslMeta meta, std::uint64_t address) {
    for (int tries = 0; tries < kMetaTries; ++tries) {
      if (!meta.group || meta.group % kMuslUnit || meta.group >> 47 || !meta.stride()) return;
      if (target_.memory.load<std::uint64_t>(meta.group) == address) return heap_.groups.push_back(meta);
      auto again = target_.memory.load<MuslMeta>(address);
      if (!again) return;
      meta = *again;
    }
  }

  const Target& target_;
  MuslHeap heap_;
};

}  // namespace

std::uint64_t MuslMeta::stride() const {
  if (slots() == 1 && mapped()) return mapped() - kMuslUnit;
  if (size_class() == kOwnMapping || size_class() >= kMuslClasses) return 0;
  return kMuslUnit * kUnits[size_class()];
}

std::optional<MuslHeap> find_musl_heap(const Target& target) {
  std::optional<Context> context = ContextFinder(target).find();
  if (!context) return std::nullopt;
  MuslHeap heap = GroupReader(target).read(*context);
  if (heap.groups.empty()) return std::nullopt;
  return heap;
}

}  // namespace dwell::memory::heap
