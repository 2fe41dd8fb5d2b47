// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/stack_roots.h"

#include <algorithm>
#include <array>

#include "userspace/go/runtime/stack.h"

namespace dwell {
namespace {

constexpr std::uint32_t kStackMapIndex = 1;                                    // values by address
constexpr std::uint32_t kArgumentMaps = 0, kLocalMaps = 1, kStackObjects = 2;  // function data
constexpr std::uint64_t kMostStack = std::uint64_t{1} << 30;                   // Go allows no more
constexpr std::uint32_t kMostBits = 1 << 20, kMostStackObjects = 1 << 16;
constexpr std::size_t kMostMaps = 1 << 18;

// Their arguments are those of whatever function they stand for.
bool passes_unknown_arguments(std::string_view function) {
  return function == "reflect.makeFuncStub" || function == "reflect.methodValueCall";
}

}  // namespace

StackRoots::StackRoots(const GoRuntime& runtime) : runtime_(runtime) {
  function_data_ = runtime.memory()
                       .load<std::uint64_t>(runtime.module().moduledata + runtime.layout().module_read_only)
                       .value_or(0);
  constexpr std::uint16_t kBefore = 8;  // it stands in front of that, in all versions
  read_only_ =
      runtime.memory()
          .load<std::uint64_t>(runtime.module().moduledata + runtime.layout().module_read_only - kBefore)
          .value_or(0);
}

void StackRoots::visit_range(std::uint64_t begin, std::uint64_t end, const WordVisitor& word) const {
  begin = std::max(begin, stack_start_);
  end = std::min(end, stack_start_ + stack_.size());
  for (std::uint64_t at = (begin + 7) & ~std::uint64_t{7}; at + 8 <= end; at += 8)
    word(field_of<std::uint64_t>(stack_, at - stack_start_),
         at > stack_start_ ? field_of<std::uint64_t>(stack_, at - stack_start_ - 8) : 0);
}

void StackRoots::visit(const Goroutine& goroutine, std::span<const std::uint64_t> deferred,
                       const WordVisitor& to) {
  objects_.clear();
  pcs_.clear();
  frame_ = 0;
  if (maps_.size() >= kMostMaps) maps_.clear();
  inward_.assign(deferred.begin(), deferred.end());
  auto word = [&](std::uint64_t value, std::uint64_t before) {
    if (value >= goroutine.stack_low && value < goroutine.stack_high) inward_.push_back(value);
    to(value, before);
  };
  bool whole = goroutine.stack_state == GoStackState::kWhole;
  stack_start_ = whole ? goroutine.sp : goroutine.stack_low;
  stack_.clear();
  if (goroutine.stack_high <= stack_start_ || goroutine.stack_high - stack_start_ > kMostStack) return;
  stack_.resize(goroutine.stack_high - stack_start_);
  stack_.resize(runtime_.memory().read_some(stack_start_, stack_.data(), stack_.size()));
  std::vector<std::uint64_t> sps;
  bool walked = whole && !goroutine.pcs.empty() &&
                walk_go_stack(goroutine.pcs[0], goroutine.sp, goroutine.stack_high, {stack_start_, stack_},
                              runtime_.memory(), runtime_.frames(), pcs_, &sps) == WalkEnd::kRoot;
  if (!walked) pcs_.clear();
  if (!walked) return visit_range(stack_start_, stack_start_ + stack_.size(), word);
  bool exact = false;
  for (std::size_t i = 0; i < pcs_.size(); ++i) {
    frame_ = i;
    const GoStep step = runtime_.frames().step(pcs_[i]);
    visit_frame({pcs_[i], sps[i], sps[i] + step.depth + 8, exact}, step.depth > 0, word);
    exact = step.is_injected;
    // What the stub was called with stands in the frame above.
    if (passes_unknown_arguments(runtime_.frames().function_at(pcs_[i])) && i + 1 < pcs_.size()) exact = true;
  }
  visit_objects(word);
}

void StackRoots::visit_by_frame(const Goroutine& goroutine, std::span<const std::uint64_t> deferred,
                                const FrameVisitor& to) {
  std::vector<std::pair<std::size_t, std::uint64_t>> words;
  visit(goroutine, deferred, [&](std::uint64_t word, std::uint64_t) {
    if (word) words.emplace_back(frame_, word);
  });
  std::ranges::stable_sort(words, std::greater<>(), &std::pair<std::size_t, std::uint64_t>::first);
  for (const auto& [frame, word] : words) to(frame < pcs_.size() ? pcs_[frame] : goroutine.start_pc, word);
}

void StackRoots::visit_frame(const Frame& frame, bool has_room, const WordVisitor& word) {
  const Maps& maps = maps_at(frame.pc);
  if (frame.exact || !maps.known) {
    constexpr std::uint64_t kArguments = 256;
    return visit_range(frame.sp, frame.fp + kArguments, word);
  }
  std::uint64_t locals_end =
      frame.fp - 8 - (has_room ? 8 : 0);  // below the return address and the saved frame pointer
  std::uint64_t locals = locals_end - maps.locals.size() * 8;
  auto visit_bits = [&](const std::vector<bool>& bits, std::uint64_t from) {
    for (std::size_t i = 0; i < bits.size(); ++i) {
      if (bits[i]) visit_range(from + i * 8, from + i * 8 + 8, word);
    }
  };
  visit_bits(maps.locals, locals);
  visit_bits(maps.arguments, frame.fp);
  for (const ObjectMap& object : maps.objects) {
    std::uint64_t from = object.offset < 0 ? locals_end : frame.fp;
    objects_.push_back({from + static_cast<std::uint64_t>(object.offset), &object, false, frame_});
  }
}

StackRoots::Object* StackRoots::object_at(std::uint64_t address) {
  auto behind = std::upper_bound(objects_.begin(), objects_.end(), address,
                                 [](std::uint64_t at, const Object& object) { return at < object.begin; });
  if (behind == objects_.begin()) return nullptr;
  Object& object = *std::prev(behind);
  return address < object.begin + object.map->size ? &object : nullptr;
}

// What nothing alive leads to is dead, though it still stands there.
void StackRoots::visit_objects(const WordVisitor& word) {
  std::sort(objects_.begin(), objects_.end(),
            [](const Object& a, const Object& b) { return a.begin < b.begin; });
  while (!inward_.empty()) {
    Object* object = object_at(inward_.back());
    inward_.pop_back();
    if (!object || std::exchange(object->visited, true)) continue;
    const ObjectMap& map = *object->map;
    frame_ = object->frame;
    for (std::uint64_t i = 0; i * 8 < map.pointer_bytes; ++i) {
      bool pointer = map.bits.empty() || static_cast<unsigned char>(map.bits[i / 8]) >> (i % 8) & 1;
      if (pointer) visit_range(object->begin + i * 8, object->begin + i * 8 + 8, word);
    }
  }
}

const StackRoots::Maps& StackRoots::maps_at(std::uint64_t pc) {
  auto found = maps_.find(pc);
  if (found != maps_.end()) return *found->second;
  return *maps_.emplace(pc, std::make_unique<Maps>(read_maps(pc))).first->second;
}

bool StackRoots::read_bitmap(const GoRecord& record, std::uint32_t which, std::int64_t index,
                             std::vector<bool>& bits) const {
  std::optional<std::uint32_t> offset = runtime_.frames().table().data_offset(record, which);
  if (!offset) return false;
  std::uint64_t address = function_data_ + *offset;
  std::array<std::int32_t, 2> header{};  // how many maps, of how many bits
  if (!runtime_.memory().read(address, header.data(), sizeof header)) return false;
  if (header[0] <= 0 || header[1] <= 0) return true;
  if (index >= header[0] || static_cast<std::uint32_t>(header[1]) > kMostBits) return false;
  std::size_t count = static_cast<std::size_t>(header[1]), bytes = (count + 7) / 8;
  std::string map =
      runtime_.memory().text(address + 8 + static_cast<std::uint64_t>(index) * bytes, bytes, kMostBits);
  if (map.empty()) return false;
  for (std::size_t i = 0; i < count; ++i) bits.push_back(map[i / 8] >> (i % 8) & 1);
  return true;
}

StackRoots::Maps StackRoots::read_maps(std::uint64_t pc) const {
  Maps maps;
  const GoTable& table = runtime_.frames().table();
  std::optional<GoRecord> record = table.record_at(pc);
  if (!record || passes_unknown_arguments(record->name)) return maps;
  std::int64_t index = table.address_value(*record, kStackMapIndex, pc == record->entry ? pc : pc - 1);
  index = std::max<std::int64_t>(index, 0);  // none: as at the entry
  bool has_room = table.stack_depth(*record, pc).value_or(0) > 0;
  maps.known = read_bitmap(*record, kLocalMaps, index, maps.locals) || !has_room;
  bool no_arguments = table.argument_bytes(*record) == 0;
  maps.known = (read_bitmap(*record, kArgumentMaps, index, maps.arguments) || no_arguments) && maps.known;
  read_objects(*record, maps);
  return maps;
}

void StackRoots::read_objects(const GoRecord& record, Maps& maps) const {
  std::optional<std::uint32_t> offset = runtime_.frames().table().data_offset(record, kStackObjects);
  if (!offset) return;
  std::uint64_t address = function_data_ + *offset;
  std::uint64_t count = runtime_.memory().load<std::uint64_t>(address).value_or(0);
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, kMostStackObjects); ++i) {
    struct {
      std::int32_t offset, size, pointer_bytes;
      std::uint32_t mask;
    } from{};
    if (!runtime_.memory().read(address + 8 + i * sizeof from, &from, sizeof from)) break;
    if (from.size <= 0) continue;
    ObjectMap object{from.offset, static_cast<std::uint32_t>(from.size), 0, ""};
    bool has_mask = from.pointer_bytes >= 0 && from.pointer_bytes <= from.size;  // else a program makes it
    object.pointer_bytes = has_mask ? static_cast<std::uint32_t>(from.pointer_bytes) : object.size;
    if (has_mask && object.pointer_bytes)
      object.bits =
          runtime_.memory().text(read_only_ + from.mask, (object.pointer_bytes / 8 + 7) / 8, kMostBits);
    maps.objects.push_back(std::move(object));
  }
}

}  // namespace dwell
