// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/code/call_sites.h"

#include <Zydis/Zydis.h>

#include <algorithm>

#include "userspace/process/process_memory.h"

namespace dwell {
namespace {

constexpr std::size_t kCallLength = 5;
constexpr char kCallOpcode = '\xe8';

// What the instruction before a call puts into RAX, the first argument of Go's calls.
std::optional<std::uint64_t> constant_before(std::string_view code) {
  constexpr char kNop = '\x90';  // marks where an inlined call began
  while (!code.empty() && code.back() == kNop) code.remove_suffix(1);
  auto ends_with = [&](std::string_view opcode, std::size_t immediate) {
    std::size_t length = opcode.size() + immediate;
    return code.size() >= length && code.substr(code.size() - length, opcode.size()) == opcode;
  };
  // The longest first: a shorter one could stand at the end of its immediate.
  if (ends_with("\x48\xb8", 8)) return field_of<std::uint64_t>(code, code.size() - 8);
  if (ends_with("\x48\xc7\xc0", 4))
    return static_cast<std::uint64_t>(std::int64_t{field_of<std::int32_t>(code, code.size() - 4)});
  if (ends_with("\xb8", 4)) return field_of<std::uint32_t>(code, code.size() - 4);
  return std::nullopt;
}

absl::flat_hash_map<std::uint64_t, std::string_view> entries_of(const GoTable& table, std::span<const std::string_view> names) {
  absl::flat_hash_map<std::uint64_t, std::string_view> entries;
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record) continue;
    auto wanted = std::ranges::find(names, record->name);
    if (wanted != names.end()) entries.emplace(record->entry, *wanted);
  }
  return entries;
}

}  // namespace

std::vector<DirectCall> direct_calls(std::string_view code, std::uint64_t address,
                                     const absl::flat_hash_map<std::uint64_t, std::string_view>& callees) {
  std::vector<DirectCall> calls;
  for (std::size_t at = code.find(kCallOpcode); at != std::string_view::npos && at + kCallLength <= code.size();
       at = code.find(kCallOpcode, at + 1)) {
    std::uint64_t returns = address + at + kCallLength;
    std::uint64_t target = returns + static_cast<std::uint64_t>(std::int64_t{field_of<std::int32_t>(code, at + 1)});
    if (callees.contains(target)) calls.push_back({returns, target, constant_before(code.substr(0, at))});
  }
  return calls;
}

bool calls_values(std::string_view code) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecodedInstruction instruction;
  for (std::size_t at = 0; at < code.size(); at += instruction.length) {
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, code.data() + at, code.size() - at, &instruction))) break;
    constexpr ZyanU8 kNear = 0xff;
    if (instruction.mnemonic == ZYDIS_MNEMONIC_CALL && instruction.opcode == kNear) return true;
  }
  return false;
}

std::string_view without_closures(std::string_view function) {
  for (std::string_view mark : {".func", ".deferwrap", ".gowrap"}) {
    for (std::size_t at = function.find(mark); at != std::string_view::npos; at = function.find(mark, at + 1)) {
      std::size_t digit = at + mark.size();
      if (digit < function.size() && function[digit] >= '0' && function[digit] <= '9') return function.substr(0, at);
    }
  }
  return function;
}

GoCallSites GoCallSites::find(const GoRuntime& runtime, std::span<const std::string_view> callees, std::string_view package) {
  GoCallSites result;
  const GoTable& table = runtime.module().table;
  absl::flat_hash_map<std::uint64_t, std::string_view> entries = entries_of(table, callees);
  for (std::size_t i = 0; i < table.size() && !entries.empty(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record || !record->name.starts_with(package) || of_standard_library(record->name)) continue;
    std::string code = runtime.module().code_of(*record);
    for (const DirectCall& call : direct_calls(code, record->entry, entries)) {
      GoCallSite site{std::string(entries.at(call.callee)), std::string(record->name), {}, call.returns, call.argument};
      if (site.callee.starts_with("net/http."))
        site.value_called_later = calls_values(std::string_view(code).substr(call.returns - record->entry));
      std::vector<GoCall> calls = runtime.frames().calls_at(call.returns, true);
      if (const GoCall* own = own_call(calls)) site.place = *own;
      result.called_.emplace(without_closures(site.function), site.callee);
      result.called_.emplace(without_closures(site.place.function), site.callee);
      result.sites_.push_back(std::move(site));
    }
  }
  return result;
}

std::vector<GoCallSite> GoCallSites::of(std::span<const std::string_view> callees) const {
  std::vector<GoCallSite> result;
  for (const GoCallSite& site : sites_)
    if (std::ranges::find(callees, site.callee) != callees.end()) result.push_back(site);
  return result;
}

bool GoCallSites::calls(std::string_view function, std::span<const std::string_view> callees) const {
  std::string base(without_closures(function));
  return std::ranges::any_of(callees, [&](std::string_view callee) { return called_.contains(std::pair(base, std::string(callee))); });
}

}  // namespace dwell
