// SPDX-License-Identifier: Apache-2.0
#include <cctype>

#include "ui/escape.h"
#include "ui/json_parts.h"
#include "userspace/memory/account/look_text.h"
#include "userspace/memory/heap/class_name.h"

namespace dwell::memory {
namespace {

constexpr int kVersion = 1;

Json amount_json(const heap::Amount& amount) {
  return {{"blocks", amount.blocks}, {"bytes", amount.bytes}, {"resident_bytes", amount.resident}};
}

std::string key_of(std::string_view words) {  // "live, mapped" -> "live_mapped"
  std::string key;
  for (char c : words)
    if (c != ',') key += c == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return key;
}

Json states_json(const heap::AmountsByState& states) {
  Json json = Json::object();
  for (std::size_t i = 0; i < states.size(); ++i)
    json[key_of(name_of(static_cast<heap::BlockState>(i)))] = amount_json(states[i]);
  return json;
}

Json size_json(const heap::SizeClass& size) {
  return {{"from", size.from}, {"to", size.to}, {"live", amount_json(size.live)}, {"free", amount_json(size.free)}};
}

Json pin_json(const heap::Pin& pin) {
  return {{"from", pin.from}, {"to", pin.to}, {"blocks", pin.blocks}, {"pages", pin.pages}, {"free_bytes", pin.free_bytes}};
}

Json checksum_json(const heap::Checksum& check) {
  return {{"name", check.name}, {"allocator_says", check.said}, {"found", check.found}};
}

// Of the census: blocks and bytes. What of them is in memory is not counted.
Json count_json(const heap::Amount& amount) { return {{"blocks", amount.blocks}, {"bytes", amount.bytes}}; }

Json type_json(const heap::TypeRow& row) {
  return {{"class", printable(heap::class_name(row.mangled, row.array))}, {"blocks", row.amount.blocks}, {"bytes", row.amount.bytes}};
}

Json census_json(const std::optional<heap::Census>& census) {
  if (!census) return nullptr;
  Json contents = Json::object();
  for (std::size_t i = 0; i < heap::kContents; ++i)
    contents[std::string(name_of(static_cast<heap::Content>(i)))] = count_json(census->contents[i]);
  return {{"contents", contents}, {"classes", list(census->types, type_json)}};
}

Json heap_json(const HeapLook& look) {
  Json arenas = Json::array();
  for (std::size_t i = 0; i < look.arenas.size(); ++i)
    arenas.push_back({{"address", look.arenas[i].address},
                      {"main", look.arenas[i].main},
                      {"system_bytes", look.arenas[i].system_bytes},
                      {"states", states_json(look.inventory.by_arena[i])}});
  return {{"allocator", printable(look.name)},
          {"live", amount_json(look.inventory.live())},
          {"free", amount_json(look.inventory.free())},
          {"states", states_json(look.inventory.by_state)},
          {"header_bytes", look.inventory.headers},
          {"trimmable_bytes", look.inventory.trimmable},
          {"pinned_bytes", look.inventory.pinned_bytes},
          {"pins", list(look.inventory.pins, pin_json)},
          {"arenas", arenas},
          {"sizes", list(look.inventory.sizes, size_json)},
          {"census", census_json(look.census)},
          {"checksums", list(look.checksums, checksum_json)},
          {"retries", look.quality.retries},
          {"resyncs", look.quality.resyncs},
          {"lost_bytes", look.quality.lost_bytes}};
}

Json account_json(const Account& account) {
  Json parts = Json::object();
  for (std::size_t i = 0; i < kParts; ++i)
    parts[key_of(name_of(static_cast<Part>(i)))] = {{"resident_bytes", account.parts[i].resident},
                                                    {"swapped_bytes", account.parts[i].swapped},
                                                    {"mappings", account.parts[i].mappings}};
  return {{"resident_bytes", account.resident}, {"anonymous_bytes", account.anonymous},
          {"file_bytes", account.file},         {"shared_bytes", account.shared},
          {"swapped_bytes", account.swapped},   {"huge_page_bytes", account.huge},
          {"hugetlb_bytes", account.hugetlb},   {"parts", parts}};
}

}  // namespace

Json look_json(const MemoryLook& look) {
  return {{"kind", "memory"},
               {"version", kVersion},
               {"process", {{"pid", look.process.pid},
                            {"name", printable(look.process.name)},
                            {"command_line", printable(look.process.command_line)}}},
               {"duration_ns", look.duration_ns},
               {"paused_ns", look.paused_ns},
               {"own_cpu_ns", look.own_cpu_ns},
               {"bytes_read", look.bytes_read},
               {"swapped_pages_left", look.swapped_pages},
               {"pages_known", look.pages_known},
               {"account", account_json(look.account)},
               {"no_heap", look.no_heap.empty() ? Json(nullptr) : Json(printable(look.no_heap))},
               {"unread_allocator", look.unread_allocator.empty() ? Json(nullptr) : Json(printable(look.unread_allocator))},
               {"heaps", list(look.heaps, heap_json)},
               {"thread_stacks", look.stacks.size()}};
}

}  // namespace dwell::memory
