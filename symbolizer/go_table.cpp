// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/go_table.h"

#include <cstring>

#include "symbolizer/byte_reader.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxTable = std::size_t{512} << 20;
constexpr std::uint32_t kGo116 = 0xfffffffa, kGo118 = 0xfffffff0, kGo120 = 0xfffffff1;
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
  for (const char* name : {".gopclntab", ".data.rel.ro.gopclntab"}) {
    if (!elf.section(name)) continue;
    Result<std::string> bytes = elf.section_bytes(name, kMaxTable);
    const ElfSection* text = elf.section(".text");
    if (bytes && text) return parse(std::move(*bytes), text->vaddr);
  }
  return {};
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

// Values by address are written as pairs: how the value changes, and how many steps of code it holds for.
std::optional<std::int64_t> GoTable::value_at(std::uint64_t table, std::uint64_t start,
                                              std::uint64_t address) const {
  if (table == 0 || values_ + table >= bytes_.size()) return std::nullopt;
  ByteReader reader(std::string_view(bytes_).substr(values_ + table));
  std::uint64_t value = ~std::uint64_t{0};  // -1; a table that lies may pass the ends of a signed number
  for (bool first = true; reader.ok(); first = false) {
    std::uint64_t change = reader.uleb();
    if (change == 0 && !first) break;
    value += (change >> 1) ^ (~(change & 1) + 1);
    start += reader.uleb() * step_;
    if (reader.ok() && address < start) return static_cast<std::int64_t>(value);
  }
  return std::nullopt;
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
  record.is_root = !wide_ && (number_at<std::uint8_t>(last + 1) & 1);
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

std::int32_t GoTable::argument_bytes(const GoRecord& record) const {
  return static_cast<std::int32_t>(field(record, kArguments));
}

std::int64_t GoTable::address_value(const GoRecord& record, std::uint32_t which,
                                    std::uint64_t address) const {
  if (wide_ || which >= field(record, kTables)) return -1;
  return value_at(number_at<std::uint32_t>(record.offset + record_size() + 4 * std::uint64_t{which}),
                  record.entry, address)
      .value_or(-1);
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
