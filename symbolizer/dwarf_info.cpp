// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/dwarf_info.h"

#include <dwarf.h>
#include <fmt/core.h>

#include <algorithm>

namespace dwell::dwarf {

namespace {

// Honest files are read about twice (entries once, names and lists again).
constexpr std::uint64_t kReadsPerByte = 8;
constexpr std::uint64_t kLeastBudget = std::uint64_t{2} << 20;
constexpr std::size_t kMaxFrames = 300;
constexpr std::size_t kMaxProblems = 8;
constexpr std::uint64_t kMaxStateMemory = std::uint64_t{8} << 20;

enum DwarfSection : std::uint32_t {  // column kinds of .debug_cu_index
  kInfo = 1,
  kAbbrev = 3,
  kStrOffsets = 6,
  kRnglistsV5 = 8,
};

}  // namespace

std::unique_ptr<DwarfInfo> DwarfInfo::open(std::shared_ptr<const ElfFile> debug, std::vector<Range> code,
                                           Companions companions) {
  const ElfSection* info = debug->section(".debug_info");
  if (!info) return nullptr;
  std::uint64_t total = 0;
  for (const ElfSection& section : debug->sections()) {
    // A compressed section counts as if it were eight times as long.
    if (section.name.starts_with(".debug_") && section.size <= debug->file_size())
      total += section.size * ((section.flags & 0x800) ? 8 : 1);
  }
  std::unique_ptr<DwarfInfo> result(new DwarfInfo(kLeastBudget + total * kReadsPerByte));
  result->main_ = DwarfFile::open(debug, false, &result->budget_);
  if (result->main_->info.empty()) return nullptr;
  result->code_ = CodeRanges(std::move(code));
  result->companions_ = std::move(companions);
  DwarfInfo* self = result.get();
  result->main_->supplementary = [self]() -> DwarfFile* {
    if (self->supplementary_tried_) return self->supplementary_.get();
    self->supplementary_tried_ = true;
    std::shared_ptr<const ElfFile> elf =
        self->companions_.supplementary ? self->companions_.supplementary() : nullptr;
    if (elf) self->supplementary_ = DwarfFile::open(elf, false, &self->budget_);
    return self->supplementary_.get();
  };
  result->read_aranges();
  return result;
}

std::uint64_t DwarfInfo::loaded() const {
  std::uint64_t total = main_->loaded();
  for (const auto& file : split_files_) total += file->loaded();
  if (supplementary_) total += supplementary_->loaded();
  if (package_) total += package_->loaded();
  return total;
}

void DwarfInfo::read_aranges() {
  ByteReader reader(main_->aranges.view(0, main_->aranges.size()));
  if (!budget_.spend(reader.remaining())) return;
  while (reader.ok() && !reader.at_end()) {
    std::uint64_t start = reader.offset();
    std::uint64_t length = reader.u32();
    bool wide = length == 0xffffffff;
    if (wide) length = reader.u64();
    std::uint64_t end = reader.offset() + std::min<std::uint64_t>(length, reader.remaining());
    std::uint16_t version = reader.u16();
    std::uint64_t unit = wide ? reader.u64() : reader.u32();
    std::uint8_t address_size = reader.u8();
    std::uint8_t segment_size = reader.u8();
    if (!reader.ok()) break;
    if (version == 2 && address_size == 8 && segment_size == 0) {
      // Pairs stand at a multiple of their size from the header's start.
      reader.skip((16 - (reader.offset() - start) % 16) % 16);
      std::uint32_t number = static_cast<std::uint32_t>(unit_offsets_.size());
      unit_offsets_.push_back(unit);
      while (reader.ok() && reader.offset() + 16 <= end) {
        std::uint64_t address = reader.u64(), size = reader.u64();
        if (address == 0 && size == 0) break;
        if (code_.contains(address)) from_aranges_.add(address, address + size, number);
      }
    }
    if (reader.ok()) reader.seek(end);
  }
  from_aranges_.build();
  units_in_aranges_ = unit_offsets_;
  std::sort(units_in_aranges_.begin(), units_in_aranges_.end());
}

// Units that .debug_aranges says nothing about: clang writes none by default.
void DwarfInfo::scan_units() {
  scanned_ = true;
  for (std::uint64_t offset : main_->unit_offsets()) {
    if (std::binary_search(units_in_aranges_.begin(), units_in_aranges_.end(), offset)) continue;
    Unit* unit = main_->unit_at(offset);
    if (!unit || budget_.exhausted()) continue;
    std::vector<Range> ranges = unit->ranges;
    if (ranges.empty()) {
      // A unit that does not say where its code is still has lines that do, or functions.
      if (unit->type != DW_UT_compile && unit->type != DW_UT_skeleton) continue;
      if (!unit->line_offset && unit->dwo_name.empty()) continue;
      UnitState* state = state_of(unit);
      ranges = state ? state->lines.covered() : ranges;
    }
    std::uint32_t number = static_cast<std::uint32_t>(unit_offsets_.size());
    unit_offsets_.push_back(offset);
    for (const Range& range : ranges) {
      if (code_.contains(range.start)) from_units_.add(range.start, range.end, number);
    }
  }
  from_units_.build();
}

DwarfInfo::UnitState* DwarfInfo::state_of(Unit* unit) {
  std::unique_ptr<UnitState>& state = states_[unit->offset];
  if (state) return state.get();
  if (budget_.exhausted()) return nullptr;
  state = std::make_unique<UnitState>();
  state->unit = unit;
  state->bulk = unit->dwo_name.empty() ? unit : split_unit_of(*unit);
  state->lines = LineTable::parse(*unit, code_);
  if (state->bulk) state->functions = FunctionIndex(*state->bulk, code_);
  state_memory_ += state->lines.memory() + state->functions.memory();
  return state.get();
}

std::uint32_t DwarfInfo::unit_number(std::uint64_t address) {
  std::uint32_t number = from_aranges_.find(address);
  if (number != IntervalMap::kNone) return number;
  if (!scanned_) scan_units();
  return from_units_.find(address);
}

DwarfInfo::UnitState* DwarfInfo::state_at(std::uint64_t address) {
  std::uint32_t number = unit_number(address);
  if (number == IntervalMap::kNone) return nullptr;
  Unit* unit = main_->unit_at(unit_offsets_[number]);
  return unit ? state_of(unit) : nullptr;
}

void DwarfInfo::find(std::uint64_t address, std::vector<Frame>& frames) {
  frames.clear();
  if (budget_.exhausted()) return;
  // A batch that is sorted by unit comes back to few of them.
  if (state_memory_ > kMaxStateMemory) {
    states_.clear();
    state_memory_ = 0;
    main_->forget_names();
    for (const std::unique_ptr<DwarfFile>& file : split_files_) file->forget_names();
  }
  UnitState* state = state_at(address);
  if (state) find_in(*state, address, frames);
}

const FunctionEntry* DwarfInfo::outermost_function(std::uint64_t address) {
  UnitState* state = budget_.exhausted() ? nullptr : state_at(address);
  return state ? state->functions.outermost(address) : nullptr;
}

bool DwarfInfo::find_in(UnitState& state, std::uint64_t address, std::vector<Frame>& frames) {
  const LineRow* row = state.lines.find(address);
  std::string_view file = row ? path_of(state, row->file) : std::string_view();
  std::uint32_t line = row ? row->line : 0;
  std::size_t before = state.functions.memory();
  const FunctionEntry* entry = state.functions.find(address);
  state_memory_ += state.functions.memory() - before;
  for (; entry && frames.size() < kMaxFrames; entry = entry->parent) {
    bool inlined = entry->parent != nullptr;
    FunctionName name = state.bulk->file->function_name(entry->named_by);
    frames.push_back({name, qualified_name(state, name), entry, file, line, inlined});
    file = path_of(state, entry->call_file);
    line = entry->call_line;
  }
  if (frames.empty() && row) frames.push_back({{}, {}, nullptr, file, line, false});
  return !frames.empty();
}

std::string_view DwarfInfo::path_of(UnitState& state, std::uint64_t file) {
  auto known = state.paths.find(file);
  if (known != state.paths.end()) return known->second;
  std::string_view path = intern(state.lines.path(file, state.unit->directory));
  state.paths.emplace(file, path);
  return path;
}

std::string_view DwarfInfo::intern(std::string text) {
  std::unique_ptr<std::string>& kept = interned_[text];
  if (!kept) kept = std::make_unique<std::string>(std::move(text));
  return *kept;
}

std::string_view DwarfInfo::qualified_name(UnitState& state, const FunctionName& name) {
  // Scopes are known for the unit that was walked; a function of another unit keeps its plain name.
  if (!companions_.qualify_names || !name.linkage.empty() || name.plain_file != state.bulk->file) return {};
  // The entry itself may be one of a unit that this one shares with others.
  if (name.plain_entry < state.bulk->first_entry || name.plain_entry >= state.bulk->end) return {};
  auto [known, fresh] = state.qualified.try_emplace(name.plain_entry);
  if (!fresh) return known->second;
  std::string text;
  if (!state.scopes) state.scopes = ScopeIndex::build(*state.bulk);
  for (const ScopeIndex::Scope* scope : state.scopes->around(name.plain_entry)) {
    std::string_view part = name.plain_file->plain_name(scope->entry_offset);
    if (part.empty()) part = scope->is_namespace ? "(anonymous namespace)" : "{unnamed type}";
    text.append(part).append("::");
  }
  if (!text.empty()) known->second = intern(text.append(name.plain));
  return known->second;
}

Unit* DwarfInfo::split_unit_of(Unit& skeleton) {
  if (Unit* unit = unit_of_package(skeleton)) return unit;
  std::shared_ptr<const ElfFile> elf =
      companions_.split_unit ? companions_.split_unit(skeleton.dwo_name, skeleton.directory) : nullptr;
  if (elf) {
    std::unique_ptr<DwarfFile> file = DwarfFile::open(elf, true, &budget_);
    for (std::uint64_t offset : file->unit_offsets()) {
      Unit* unit = file->unit_at(offset, nullptr, &skeleton);
      // Type units stand beside the one with the code; a rebuilt .dwo has another id.
      if (!unit || unit->type == DW_UT_split_type || unit->dwo_id != skeleton.dwo_id) continue;
      split_files_.push_back(std::move(file));
      return unit;
    }
  }
  if (problems_.size() < kMaxProblems)
    problems_.push_back(fmt::format("{}: split debug information {} ({})", main_->elf->path(), skeleton.dwo_name,
                                    elf ? "belongs to another build" : "not found"));
  return nullptr;
}

Unit* DwarfInfo::unit_of_package(const Unit& skeleton) {
  if (!package_tried_) {
    package_tried_ = true;
    std::shared_ptr<const ElfFile> elf = companions_.split_package ? companions_.split_package() : nullptr;
    if (elf) package_ = DwarfFile::open(elf, true, &budget_);
  }
  if (!package_) return nullptr;

  // .debug_cu_index: a hash table of unit ids, then one row of offsets (one column a section) for each unit.
  LazyBytes& index = package_->cu_index;
  ByteReader header(index.view(0, 16));
  std::uint32_t version = header.u32() & 0xffff;
  std::uint32_t columns = header.u32(), used = header.u32(), slots = header.u32();
  if (!header.ok() || (version != 2 && version != 5) || slots == 0 || (slots & (slots - 1)) != 0 || columns > 32)
    return nullptr;
  std::uint64_t mask = slots - 1;
  std::uint64_t step = ((skeleton.dwo_id >> 32) & mask) | 1;
  std::uint64_t slot = skeleton.dwo_id & mask;
  for (std::uint32_t tries = 0; tries < slots; ++tries, slot = (slot + step) & mask) {
    ByteReader id(index.view(16 + slot * 8, 8));
    ByteReader row(index.view(16 + std::uint64_t{slots} * 8 + slot * 4, 4));
    std::uint64_t found = id.u64();
    std::uint32_t number = row.u32();
    if (!id.ok() || !row.ok() || number == 0 || number > used || !budget_.spend(1)) return nullptr;
    if (found != skeleton.dwo_id) continue;
    std::uint64_t table = 16 + std::uint64_t{slots} * 12;
    Contribution contribution;
    for (std::uint32_t column = 0; column < columns; ++column) {
      ByteReader kind(index.view(table + column * 4, 4));
      ByteReader value(index.view(table + std::uint64_t{number} * columns * 4 + column * 4, 4));
      std::uint32_t section = kind.u32(), offset = value.u32();
      if (section == kInfo) contribution.info = offset;
      if (section == kAbbrev) contribution.abbrev = offset;
      if (section == kStrOffsets) contribution.str_offsets = offset;
      if (section == kRnglistsV5 && version == 5) contribution.rnglists = offset;
    }
    return package_->unit_at(contribution.info, &contribution, &skeleton);
  }
  return nullptr;
}

}  // namespace dwell::dwarf
