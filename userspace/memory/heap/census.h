// SPDX-License-Identifier: Apache-2.0
// Census: live blocks by what is in them: C++ classes by name, and kinds of content, which show nothing of the content.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/memory/heap/inventory.h"
#include "userspace/memory/heap/type_names.h"
#include "userspace/memory/heap/window.h"

namespace dwell::memory::heap {

enum class Content : std::uint8_t {
  kObject,    // of a class with a name
  kText,
  kPointers,  // most of its first words are addresses
  kZero,      // its first words are 0
  kOther,
  kContents,
};
constexpr std::size_t kContents = static_cast<std::size_t>(Content::kContents);
constexpr std::size_t kContentWords = 8;  // looked at, from the start of a block
std::string_view name_of(Content content);

// Pure: of the first bytes of a block that is no object. `is_address` tells a mapped address.
Content content_of(std::span<const std::uint64_t> words, std::size_t bytes,
                   const std::function<bool(std::uint64_t)>& is_address);

struct BlockKind {
  Content content = Content::kOther;
  std::uint32_t type = TypeNames::kNone;  // of an object
  bool array = false;                     // of new T[n]: the block begins with the number of elements
};

// Tells for one block after the other what it is; quickest in address order.
class BlockKinds {
 public:
  BlockKinds(const Target& target, TypeNames::FileReader files);
  BlockKind of(std::uint64_t address, std::uint64_t usable);
  const std::string& mangled(std::uint32_t type) const { return types_.mangled(type); }

 private:
  bool is_address(std::uint64_t word) const;

  const Target& target_;
  TypeNames types_;
  Window window_;
};

struct TypeRow {
  std::string mangled;  // of the class
  bool array = false;
  Amount amount;
};

struct Census {
  std::array<Amount, kContents> contents{};
  std::vector<TypeRow> types;  // by bytes
};

class CensusMaker {
 public:
  CensusMaker(const Target& target, TypeNames::FileReader files);
  void add(std::span<const Block> blocks);
  Census finish();

 private:
  void add(const Block& block);

  BlockKinds kinds_;
  Census census_;
  std::vector<Amount> single_, arrays_;  // by type
};

}  // namespace dwell::memory::heap
