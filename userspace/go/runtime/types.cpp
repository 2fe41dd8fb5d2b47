// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/types.h"

#include <array>

namespace dwell {
namespace {

constexpr std::uint64_t kMostItabs = 1 << 22;
constexpr std::uint64_t kMostItabBytes = 1 << 28;
constexpr int kFirstInOneBlock = 27;

std::vector<std::uint64_t> listed_itabs(const GoRuntime& runtime) {
  GoSlice list = runtime.memory()
                     .load<GoSlice>(runtime.module().moduledata + runtime.layout().module_itabs)
                     .value_or(GoSlice{});
  if (list.length > list.capacity || list.length > kMostItabs) return {};
  std::vector<std::uint64_t> addresses(list.length);
  if (!runtime.memory().read(list.address, addresses.data(), addresses.size() * 8)) return {};
  return addresses;
}

// They differ in size, by the number of methods: each word may begin one.
std::vector<std::uint64_t> words_of_block(const GoRuntime& runtime, std::uint64_t types) {
  std::uint64_t at = runtime.module().moduledata + runtime.layout().module_itabs;
  std::uint64_t offset = runtime.memory().load<std::uint64_t>(at).value_or(0);
  std::uint64_t size = runtime.memory().load<std::uint64_t>(at + 8).value_or(0);
  std::vector<std::uint64_t> addresses;
  if (size > kMostItabBytes) return addresses;
  for (std::uint64_t i = 0; i + 8 <= size; i += 8) addresses.push_back(types + offset + i);
  return addresses;
}

}  // namespace

std::string go_type_name(const GoRuntime& runtime, std::uint64_t type) {
  constexpr std::size_t kFlags = 20, kName = 40, kSize = 48, kLongest = 512;
  constexpr std::uint8_t kExtraStar = 2;
  std::uint64_t types = runtime.memory()
                            .load<std::uint64_t>(runtime.module().moduledata + runtime.layout().module_types)
                            .value_or(0);
  std::string bytes = runtime.memory().text(type, kSize, kSize);
  if (bytes.empty()) return "";
  std::uint64_t name = types + field_of<std::uint32_t>(bytes, kName);
  std::array<std::uint8_t, 3> head{};  // flags, and the length in one byte or two
  if (!runtime.memory().read(name, head.data(), head.size())) return "";
  std::size_t length = head[1] & 0x7f, begin = 2;
  if (head[1] & 0x80) {
    length |= static_cast<std::size_t>(head[2] & 0x7f) << 7;
    begin = 3;
  }
  std::string text = runtime.memory().text(name + begin, length, kLongest);
  if (field_of<std::uint8_t>(bytes, kFlags) & kExtraStar && !text.empty()) text.erase(0, 1);
  return text;
}

std::vector<GoItab> go_itabs(const GoRuntime& runtime) {
  std::vector<GoItab> result;
  if (!runtime.layout().module_itabs) return result;
  std::uint64_t types = runtime.memory()
                            .load<std::uint64_t>(runtime.module().moduledata + runtime.layout().module_types)
                            .value_or(0);
  std::vector<std::uint64_t> addresses =
      runtime.layout().minor >= kFirstInOneBlock ? words_of_block(runtime, types) : listed_itabs(runtime);
  std::vector<std::array<std::uint64_t, 2>> words(addresses.size());
  std::vector<MemoryPiece> pieces;
  for (std::size_t i = 0; i < addresses.size(); ++i)
    pieces.push_back({addresses[i], sizeof words[i], reinterpret_cast<char*>(words[i].data())});
  runtime.memory().read_pieces(pieces);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (pieces[i].read) result.push_back({addresses[i], words[i][0], words[i][1]});
  }
  return result;
}

}  // namespace dwell
