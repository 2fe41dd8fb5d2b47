// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/go_table.h"

#include <gtest/gtest.h>

#include <cstring>

namespace dwell {
namespace {

constexpr std::uint64_t kText = 0x401000;

template <typename T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Two functions, 0x00..0x20 and 0x20..0x30, as Go 1.20 writes them.
std::string small_table() {
  constexpr std::size_t kHeader = 8 + 8 * 8;
  std::string names("main.main\0main.(*Pool).cold\0", 28);
  std::string units;
  put<std::uint32_t>(units, 0);
  std::string files("/src/main.go\0", 13);
  // Offset 0 means "none". Values start at -1: file 0 all along; lines 10, then 12; then 7.
  std::string values("\0", 1);
  std::uint32_t file_table = static_cast<std::uint32_t>(values.size());
  values += std::string("\x02\x30\0", 3);
  std::uint32_t first_lines = static_cast<std::uint32_t>(values.size());
  values += std::string("\x16\x08\x04\x18\0", 5);
  std::uint32_t second_lines = static_cast<std::uint32_t>(values.size());
  values += std::string("\x10\x10\0", 3);

  std::string functions;
  std::uint32_t record = 8 * 2 + 4;
  for (std::uint32_t start : {0x00u, 0x20u}) {
    put<std::uint32_t>(functions, start);
    put<std::uint32_t>(functions, record + (start ? 44 : 0));
  }
  put<std::uint32_t>(functions, 0x30);
  for (bool second : {false, true}) {
    std::uint32_t fields[11] = {second ? 0x20u : 0u, second ? 10u : 0u, 0, 0, 0, file_table,
                                second ? second_lines : first_lines, 0, 0, 0, 0};
    functions.append(reinterpret_cast<const char*>(fields), sizeof fields);
  }
  std::string bytes;
  put<std::uint32_t>(bytes, 0xfffffff1);
  bytes += std::string("\0\0\x01\x08", 4);
  put<std::uint64_t>(bytes, 2);
  put<std::uint64_t>(bytes, 1);
  put<std::uint64_t>(bytes, kText);
  std::size_t at = kHeader;
  for (const std::string* part : {&names, &units, &files, &values, &functions}) {
    put<std::uint64_t>(bytes, at);
    at += part->size();
  }
  return bytes + names + units + files + values + functions;
}

TEST(GoTable, NamesFunctionsAndLines) {
  GoTable table = GoTable::parse(small_table(), 0);
  ASSERT_EQ(table.size(), 2u);
  std::optional<GoFunction> function = table.find(kText + 4);
  ASSERT_TRUE(function);
  EXPECT_EQ(function->name, "main.main");
  EXPECT_EQ(function->file, "/src/main.go");
  EXPECT_EQ(function->line, 10u);
  EXPECT_EQ(table.find(kText + 8)->line, 12u);
  EXPECT_EQ(table.find(kText + 0x2f)->name, "main.(*Pool).cold");
  EXPECT_EQ(table.find(kText + 0x2f)->line, 7u);
  EXPECT_FALSE(table.find(kText - 1));
  EXPECT_FALSE(table.find(kText + 0x30));
}

TEST(GoTable, APositionIndependentProgramTakesTheStartOfItsCode) {
  std::string bytes = small_table();
  std::memset(bytes.data() + 24, 0, 8);
  EXPECT_EQ(GoTable::parse(bytes, 0x9000).find(0x9000)->name, "main.main");
}

TEST(GoTable, EveryTruncationAndEveryFlippedByteReturns) {
  std::string bytes = small_table();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    GoTable table = GoTable::parse(bytes.substr(0, length), kText);
    for (std::uint64_t address = kText; address < kText + 0x40; ++address) table.find(address);
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
    GoTable table = GoTable::parse(damaged, kText);
    for (std::uint64_t address = kText; address < kText + 0x40; ++address) table.find(address);
  }
}

}  // namespace
}  // namespace dwell
