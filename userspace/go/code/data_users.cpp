// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/code/data_users.h"

#include <elf.h>
#include <fmt/core.h>

#include <algorithm>

#include "userspace/go/code/call_sites.h"
#include "userspace/go/code/places.h"

namespace dwell {
namespace {

constexpr std::size_t kDisplacement = 4;
constexpr std::string_view kFillers[] = {
    "runtime.mapassign",        "runtime.mapassign_fast32",    "runtime.mapassign_fast32ptr",
    "runtime.mapassign_fast64", "runtime.mapassign_fast64ptr", "runtime.mapassign_faststr",
    "runtime.growslice"};

absl::flat_hash_map<std::uint64_t, std::string_view> fillers_of(const GoTable& table) {
  absl::flat_hash_map<std::uint64_t, std::string_view> entries;
  for (std::size_t i = 0; i < table.size(); ++i)
    if (std::optional<GoRecord> record = table.record(i);
        record && std::ranges::find(kFillers, record->name) != std::end(kFillers))
      entries.emplace(record->entry, record->name);
  return entries;
}

bool same_line(const GoCall& a, const GoCall& b) { return a.line == b.line && a.file == b.file; }

// The uses of one function, a line once.
void add_users(const GoRuntime& runtime, const GoRecord& record, const std::string& code,
               const std::vector<std::size_t>& uses,
               const absl::flat_hash_map<std::uint64_t, std::string_view>& fillers,
               std::vector<DataUser>& users) {
  std::vector<GoCall> filling;
  auto own_place = [&](std::uint64_t address, bool returns) {
    std::vector<GoCall> calls = runtime.frames().calls_at(address, returns);
    const GoCall* own = own_call(calls);
    return own ? *own : GoCall();
  };
  for (const DirectCall& call : direct_calls(code, record.entry, fillers))
    filling.push_back(own_place(call.returns, true));
  for (std::size_t use : uses) {
    GoCall place = own_place(record.entry + use, false);
    if (std::ranges::any_of(users, [&](const DataUser& user) { return same_line(user.place, place); }))
      continue;
    bool fills = std::ranges::any_of(filling, [&](const GoCall& other) { return same_line(other, place); });
    users.push_back({std::move(place), fills});
  }
}

}  // namespace

std::vector<std::pair<std::uint64_t, std::size_t>> uses_of_addresses(std::string_view code, std::uint64_t at,
                                                                     std::span<const std::uint64_t> sorted) {
  std::vector<std::pair<std::uint64_t, std::size_t>> uses;
  if (sorted.empty()) return uses;
  // The displacement is the last of the instruction, or an immediate of one or four bytes follows.
  constexpr std::uint64_t kLongestImmediate = 4;
  for (std::size_t i = 0; i + kDisplacement <= code.size(); ++i) {
    std::uint64_t target =
        at + i + kDisplacement + static_cast<std::uint64_t>(std::int64_t{field_of<std::int32_t>(code, i)});
    if (target + kLongestImmediate < sorted.front() || target > sorted.back()) continue;
    for (std::uint64_t address : {target, target + 1, target + kLongestImmediate})
      if (std::ranges::binary_search(sorted, address)) uses.emplace_back(address, i);
  }
  return uses;
}

std::vector<std::size_t> uses_of_address(std::string_view code, std::uint64_t at, std::uint64_t address) {
  std::vector<std::size_t> uses;
  for (const auto& [used, where] : uses_of_addresses(code, at, {&address, 1})) uses.push_back(where);
  return uses;
}

DataUsers users_of_variables(const GoRuntime& runtime, std::span<const std::uint64_t> addresses,
                             std::size_t most) {
  DataUsers all;
  std::vector<std::uint64_t> sorted(addresses.begin(), addresses.end());
  std::ranges::sort(sorted);
  const GoTable& table = runtime.module().table;
  absl::flat_hash_map<std::uint64_t, std::string_view> fillers = fillers_of(table);
  for (std::size_t i = 0; i < table.size() && !sorted.empty(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record || of_standard_library(record->name)) continue;
    std::string code = runtime.module().code_of(*record);
    std::map<std::uint64_t, std::vector<std::size_t>> uses;
    for (const auto& [address, where] : uses_of_addresses(code, record->entry, sorted))
      uses[address].push_back(where);
    for (const auto& [address, where] : uses) add_users(runtime, *record, code, where, fillers, all[address]);
  }
  auto is_initializer = [](const DataUser& user) { return user.place.function.ends_with(".init"); };
  for (auto& [address, users] : all) {
    std::ranges::stable_sort(users, std::greater<>(), [&](const DataUser& user) {
      return std::pair(user.fills, !is_initializer(user));
    });
    if (users.size() > most) users.resize(most);
  }
  return all;
}

std::vector<DataUser> users_of_variable(const GoRuntime& runtime, std::uint64_t address, std::size_t most) {
  return users_of_variables(runtime, {&address, 1}, most)[address];
}

std::string variable_name(const GoRuntime& runtime, std::uint64_t address) {
  std::uint64_t at = address - runtime.module().bias;
  for (const ElfSymbol& symbol : runtime.module().elf->symbols())
    if (symbol.type == STT_OBJECT && symbol.defined && symbol.vaddr <= at &&
        at < symbol.vaddr + std::max<std::uint64_t>(symbol.size, 1))
      return std::string(symbol.name);
  return "";
}

std::string variable_text(const GoRuntime& runtime, std::uint64_t address) {
  std::vector<DataUser> users = users_of_variable(runtime, address);
  std::string name = variable_name(runtime, address);
  std::string text =
      name.empty() ? fmt::format("the global variable at 0x{:x}", address) : "the global variable " + name;
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (i && users[i].fills != users[0].fills) break;
    text += (i ? ", " : users[i].fills ? ", filled at " : ", used at ") + place_text(users[i].place);
  }
  return text;
}

}  // namespace dwell
