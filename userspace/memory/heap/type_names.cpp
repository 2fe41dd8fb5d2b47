// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/type_names.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "userspace/base/byte_source.h"

namespace dwell::memory::heap {
namespace {

constexpr std::int64_t kFarthestTop = -(std::int64_t{16} << 20);
constexpr std::size_t kLongestName = 1024;
constexpr std::size_t kMostTypes = 1 << 16, kMostVtables = 1 << 20;

// How the compiler writes names of types: no spaces, and nothing but ASCII.
bool is_mangled(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; }) &&
         (std::isdigit(static_cast<unsigned char>(name[0])) || name[0] == 'N' || name[0] == 'S' || name[0] == 'Z' ||
          name[0] == 'I');
}

}  // namespace

TypeNames::TypeNames(const Target& target, FileReader files) : target_(target), files_(std::move(files)) {
  for (const Mapping& mapping : target.mappings)
    if (mapping.is_file() && mapping.readable && !mapping.executable && !mapping.shared) data_.push_back(&mapping);
}

const Mapping* TypeNames::data_at(std::uint64_t address) const {
  auto after = std::upper_bound(data_.begin(), data_.end(), address,
                                [](std::uint64_t a, const Mapping* mapping) { return a < mapping->start; });
  return after != data_.begin() && address < (*(after - 1))->end ? *(after - 1) : nullptr;
}

std::uint32_t TypeNames::of(std::uint64_t word) {
  if (word % 8 || !data_at(word)) return kNone;
  auto known = by_vtable_.find(word);
  if (known != by_vtable_.end()) return known->second;
  if (by_vtable_.size() >= kMostVtables) return kNone;
  std::uint32_t type = look_at(word);
  by_vtable_[word] = type;
  return type;
}

std::uint32_t TypeNames::look_at(std::uint64_t vtable) {
  struct Before {
    std::int64_t to_top;
    std::uint64_t type_info;
  };
  auto before = target_.memory.load<Before>(vtable - sizeof(Before));
  if (!before || before->to_top > 0 || before->to_top < kFarthestTop || !data_at(before->type_info)) return kNone;
  std::string name = name_of_type(before->type_info);
  if (name.empty()) return kNone;
  auto [entry, is_new] = by_name_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
  if (is_new && names_.size() >= kMostTypes) return by_name_.erase(entry), kNone;
  if (is_new) names_.push_back(name);
  return entry->second;
}

std::string TypeNames::name_of_type(std::uint64_t type_info) {
  struct TypeInfo {
    std::uint64_t vtable, name;
  };
  auto info = target_.memory.load<TypeInfo>(type_info);
  if (!info || !data_at(info->vtable)) return "";
  const Mapping* mapping = data_at(info->name);
  if (!mapping) return "";
  std::string name = files_(*mapping, info->name, std::min<std::uint64_t>(kLongestName, mapping->end - info->name));
  std::size_t end = name.find('\0');
  if (end == std::string::npos) return "";
  name.resize(end);
  if (name.starts_with('*')) name.erase(0, 1);  // compared by address: a class of one file
  return is_mangled(name) ? name : "";
}

TypeNames::FileReader file_reader(pid_t pid) {
  auto open = std::make_shared<std::map<std::uint64_t, std::optional<ByteSource>>>();
  return [pid, open](const Mapping& mapping, std::uint64_t address, std::size_t size) -> std::string {
    auto [entry, is_new] = open->try_emplace(mapping.start);
    if (is_new) {
      Result<std::string> path = path_to_open(pid, mapping);
      Result<ByteSource> file = path ? ByteSource::open(*path) : Result<ByteSource>(path.error());
      if (file) entry->second.emplace(std::move(*file));
    }
    if (!entry->second) return "";
    auto bytes = entry->second->read(mapping.file_offset + (address - mapping.start), size);
    return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "";
  };
}

}  // namespace dwell::memory::heap
