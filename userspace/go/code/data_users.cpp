// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/code/data_users.h"

#include <elf.h>

#include <algorithm>

#include "userspace/go/code/call_sites.h"

namespace dwell {
namespace {

constexpr std::size_t kDisplacement = 4;
constexpr std::string_view kFillers[] = {"runtime.mapassign",         "runtime.mapassign_fast32",  "runtime.mapassign_fast32ptr",
                                         "runtime.mapassign_fast64",  "runtime.mapassign_fast64ptr", "runtime.mapassign_faststr",
                                         "runtime.growslice"};

absl::flat_hash_map<std::uint64_t, std::string_view> fillers_of(const GoTable& table) {
  absl::flat_hash_map<std::uint64_t, std::string_view> entries;
  for (std::size_t i = 0; i < table.size(); ++i)
    if (std::optional<GoRecord> record = table.record(i); record && std::ranges::find(kFillers, record->name) != std::end(kFillers))
      entries.emplace(record->entry, record->name);
  return entries;
}

bool same_line(const GoCall& a, const GoCall& b) { return a.line == b.line && a.file == b.file; }

// The uses of one function, a line once.
void add_users(const GoRuntime& runtime, const GoRecord& record, const std::string& code, const std::vector<std::size_t>& uses,
               const absl::flat_hash_map<std::uint64_t, std::string_view>& fillers, std::vector<DataUser>& users) {
  std::vector<GoCall> filling;
  auto own_place = [&](std::uint64_t address, bool returns) {
    std::vector<GoCall> calls = runtime.frames().calls_at(address, returns);
    const GoCall* own = own_call(calls);
    return own ? *own : GoCall();
  };
  for (const DirectCall& call : direct_calls(code, record.entry, fillers)) filling.push_back(own_place(call.returns, true));
  for (std::size_t use : uses) {
    GoCall place = own_place(record.entry + use, false);
    if (std::ranges::any_of(users, [&](const DataUser& user) { return same_line(user.place, place); })) continue;
    bool fills = std::ranges::any_of(filling, [&](const GoCall& other) { return same_line(other, place); });
    users.push_back({std::move(place), fills});
  }
}

}  // namespace

std::vector<std::size_t> uses_of_address(std::string_view code, std::uint64_t at, std::uint64_t address) {
  std::vector<std::size_t> uses;
  // The displacement is the last of the instruction, or an immediate of one or four bytes follows.
  for (std::size_t i = 0; i + kDisplacement <= code.size(); ++i) {
    std::uint64_t target = at + i + kDisplacement + static_cast<std::uint64_t>(std::int64_t{field_of<std::int32_t>(code, i)});
    if (target == address || target + 1 == address || target + 4 == address) uses.push_back(i);
  }
  return uses;
}

std::vector<DataUser> users_of_variable(const GoRuntime& runtime, std::uint64_t address, std::size_t most) {
  std::vector<DataUser> users;
  const GoTable& table = runtime.module().table;
  absl::flat_hash_map<std::uint64_t, std::string_view> fillers = fillers_of(table);
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record || of_standard_library(record->name)) continue;
    std::string code = runtime.module().code_of(*record);
    std::vector<std::size_t> uses = uses_of_address(code, record->entry, address);
    if (!uses.empty()) add_users(runtime, *record, code, uses, fillers, users);
  }
  auto is_initializer = [](const DataUser& user) { return user.place.function.ends_with(".init"); };
  std::ranges::stable_sort(users, std::greater<>(), [&](const DataUser& user) { return std::pair(user.fills, !is_initializer(user)); });
  if (users.size() > most) users.resize(most);
  return users;
}

std::string variable_name(const GoRuntime& runtime, std::uint64_t address) {
  std::uint64_t at = address - runtime.module().bias;
  for (const ElfSymbol& symbol : runtime.module().elf->symbols())
    if (symbol.type == STT_OBJECT && symbol.defined && symbol.vaddr <= at && at < symbol.vaddr + std::max<std::uint64_t>(symbol.size, 1))
      return std::string(symbol.name);
  return "";
}

}  // namespace dwell
