// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/go_table.h"

#include <algorithm>
#include <cstring>

#include "symbolizer/byte_reader.h"
#include "symbolizer/go_file.h"

namespace dwell {

namespace {

constexpr std::uint32_t kGo116 = 0xfffffffa, kGo118 = 0xfffffff0, kGo120 = 0xfffffff1;
constexpr std::uint8_t kRootFlag = 1, kAssemblyFlag = 4;
constexpr int kMostEmpty = 16;
constexpr std::size_t kMostDepths = std::size_t{1} << 18;  // of one function
constexpr std::size_t kLongestName = std::size_t{64} << 10;

// Fields of a function's record, in 4-byte numbers behind its entry.
enum Field {
  kName = 0,
  kArguments = 1,
  kDepthTable = 3,
  kFileTable = 4,
  kLineTable = 5,
  kTables = 6,
  kUnit = 7,
  kLastField = 8
};

}  // namespace

template <typename T>
T GoTable::number_at(std::uint64_t offset) const {
  T value{};
  if (offset <= bytes_.size() && bytes_.size() - offset >= sizeof value)
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
  return value;
}

std::string_view GoTable::text_at(std::uint64_t offset) const {
  if (offset >= bytes_.size()) return {};
  std::string_view rest = std::string_view(bytes_).substr(offset, kLongestName);
  std::size_t end = rest.find('\0');
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

GoTable GoTable::read(const ElfFile& elf) {
  if (!is_go_file(elf) && !elf.sections().empty()) return {};
  std::optional<GoTableBytes> found = go_table_by_section(elf);
  if (!found) found = go_table_by_search(elf);
  if (!found) return {};
  // The header says where the code begins unless the loader has to fill that in, or, since 1.26, at all. The first bytes of
  // .text can be C's.
  std::optional<GoModuleData> data = GoModuleData::find(elf, found->vaddr);
  const ElfSection* text = elf.section(".text");
  GoTable table = parse(std::move(found->bytes), data ? data->text() : text ? text->vaddr : 0);
  table.vaddr_ = found->vaddr;
  return table;
}

GoTable GoTable::parse(std::string bytes, std::uint64_t text) {
  GoTable table;
  ByteReader reader(bytes);
  std::uint32_t magic = reader.u32();
  std::uint16_t zero = reader.u16();
  table.step_ = reader.u8();
  std::uint8_t pointer_size = reader.u8();
  if (zero != 0 || pointer_size != 8 || (magic != kGo116 && magic != kGo118 && magic != kGo120)) return {};
  table.wide_ = magic == kGo116;
  table.since_120_ = magic == kGo120;
  std::uint64_t count = reader.u64();
  reader.skip(8);  // number of files
  std::uint64_t stated = table.wide_ ? 0 : reader.u64();
  table.text_ = table.wide_ ? 0 : (stated != 0 ? stated : text);
  table.names_ = reader.u64();
  table.units_ = reader.u64();
  table.files_ = reader.u64();
  table.values_ = reader.u64();
  table.functions_ = reader.u64();
  if (!reader.ok() || table.functions_ > bytes.size()) return {};
  // One entry a function, and the end of the last.
  if (count >= (bytes.size() - table.functions_) / (table.wide_ ? 16 : 8)) return {};
  table.count_ = count;
  table.bytes_ = std::move(bytes);
  return table;
}

std::uint64_t GoTable::entry(std::size_t number) const {
  return wide_ ? number_at<std::uint64_t>(functions_ + number * 16)
               : text_ + number_at<std::uint32_t>(functions_ + number * 8);
}

// Values by address are written as pairs: how the value changes, and how many steps of code it holds for. Goes through them
// until visit(value, end) returns true.
template <typename Visit>
void GoTable::for_each_value(std::uint64_t table, std::uint64_t start, Visit visit) const {
  if (table == 0 || values_ + table >= bytes_.size()) return;
  ByteReader reader(std::string_view(bytes_).substr(values_ + table));
  std::uint64_t value = ~std::uint64_t{0};  // -1; a table that lies may pass the ends of a signed number
  int empty = 0;
  for (bool first = true; reader.ok(); first = false) {
    std::uint64_t change = reader.uleb();
    if (change == 0 && !first) return;
    value += (change >> 1) ^ (~(change & 1) + 1);
    std::uint64_t steps = reader.uleb();
    if (steps == 0 && ++empty > kMostEmpty) return;  // many functions may share a table that leads nowhere
    start += steps * step_;
    if (reader.ok() && visit(static_cast<std::int64_t>(value), start)) return;
  }
}

std::optional<std::int64_t> GoTable::value_at(std::uint64_t table, std::uint64_t start,
                                              std::uint64_t address) const {
  std::optional<std::int64_t> found;
  for_each_value(table, start, [&](std::int64_t value, std::uint64_t end) {
    if (address < end) found = value;
    return found.has_value();
  });
  return found;
}

std::optional<GoRecord> GoTable::record(std::size_t number) const {
  if (number >= count_) return std::nullopt;
  GoRecord record;
  record.entry = entry(number);
  record.end = entry(number + 1);
  record.offset = functions_ + (wide_ ? number_at<std::uint64_t>(functions_ + number * 16 + 8)
                                      : number_at<std::uint32_t>(functions_ + number * 8 + 4));
  record.name = text_at(names_ + number_at<std::uint32_t>(first_field(record) + 4 * kName));
  if (record.name.empty()) return std::nullopt;
  std::uint64_t last = first_field(record) + 4 * (since_120_ ? kLastField + 1 : kLastField);
  record.id = number_at<std::uint8_t>(last);
  record.is_root = !wide_ && (number_at<std::uint8_t>(last + 1) & kRootFlag);
  record.in_assembly = !wide_ && (number_at<std::uint8_t>(last + 1) & kAssemblyFlag);
  return record;
}

std::optional<GoRecord> GoTable::record_at(std::uint64_t address) const {
  if (count_ == 0 || address < entry(0) || address >= entry(count_)) return std::nullopt;
  std::size_t low = 0, high = count_;
  while (high - low > 1) {
    std::size_t middle = low + (high - low) / 2;
    (entry(middle) <= address ? low : high) = middle;
  }
  return record(low);
}

std::uint64_t GoTable::first_field(const GoRecord& record) const { return record.offset + (wide_ ? 8 : 4); }

std::uint32_t GoTable::field(const GoRecord& record, int which) const {
  return number_at<std::uint32_t>(first_field(record) + 4 * which);
}

std::optional<std::int64_t> GoTable::stack_depth(const GoRecord& record, std::uint64_t address) const {
  return value_at(field(record, kDepthTable), record.entry, address);
}

std::vector<GoDepth> GoTable::stack_depths(const GoRecord& record) const {
  std::vector<GoDepth> depths;
  std::uint64_t last = record.entry;
  for_each_value(field(record, kDepthTable), record.entry, [&](std::int64_t depth, std::uint64_t end) {
    if (end <= last || last >= record.end || depths.size() >= kMostDepths) return true;
    depths.push_back({end, depth});
    last = end;
    return false;
  });
  return depths;
}

std::int32_t GoTable::argument_bytes(const GoRecord& record) const {
  return static_cast<std::int32_t>(field(record, kArguments));
}

std::uint64_t GoTable::address_table(const GoRecord& record, std::uint32_t which) const {
  if (wide_ || which >= field(record, kTables)) return 0;
  return number_at<std::uint32_t>(record.offset + record_size() + 4 * std::uint64_t{which});
}

std::int64_t GoTable::address_value(const GoRecord& record, std::uint32_t which,
                                    std::uint64_t address) const {
  return value_at(address_table(record, which), record.entry, address).value_or(-1);
}

std::int64_t GoTable::highest_value(const GoRecord& record, std::uint32_t which) const {
  std::int64_t highest = -1;
  for_each_value(address_table(record, which), record.entry, [&](std::int64_t value, std::uint64_t end) {
    highest = std::max(highest, value);
    return end >= record.end;
  });
  return highest;
}

std::optional<std::uint32_t> GoTable::data_offset(const GoRecord& record, std::uint32_t which) const {
  constexpr std::uint32_t kNone = ~0u;
  if (wide_ || which >= number_at<std::uint8_t>(record.offset + record_size() - 1)) return std::nullopt;
  std::uint64_t slot = record.offset + record_size() + 4 * (std::uint64_t{field(record, kTables)} + which);
  if (slot > bytes_.size() || bytes_.size() - slot < 4) return std::nullopt;
  std::uint32_t offset = number_at<std::uint32_t>(slot);
  return offset == kNone ? std::nullopt : std::optional(offset);
}

GoFunction GoTable::place(const GoRecord& record, std::uint64_t address) const {
  GoFunction function;
  function.name = record.name;
  std::optional<std::int64_t> line = value_at(field(record, kLineTable), record.entry, address);
  std::optional<std::int64_t> file = value_at(field(record, kFileTable), record.entry, address);
  if (line && *line > 0 && *line < (std::int64_t{1} << 31)) function.line = static_cast<std::uint32_t>(*line);
  if (file && *file >= 0 && *file < (std::int64_t{1} << 31)) {
    std::uint64_t slot =
        units_ + (std::uint64_t{field(record, kUnit)} + static_cast<std::uint64_t>(*file)) * 4;
    function.file = text_at(files_ + number_at<std::uint32_t>(slot));
  }
  return function;
}

std::optional<GoFunction> GoTable::find(std::uint64_t address) const {
  std::optional<GoRecord> record = record_at(address);
  if (!record) return std::nullopt;
  return place(*record, address);
}

}  // namespace dwell
