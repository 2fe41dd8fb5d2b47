// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/census.h"

#include <algorithm>
#include <cctype>

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kMostElements = 1 << 24;  // of an array
constexpr std::size_t kShortestText = 4;
constexpr std::uint64_t kReadAhead = 1 << 20;

bool is_text(std::string_view bytes) {
  std::size_t end = std::min(bytes.find('\0'), bytes.size());
  if (end < kShortestText) return false;
  return std::all_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(end), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || std::isprint(byte) || std::isspace(byte);
  });
}

}  // namespace

std::string_view name_of(Content content) {
  switch (content) {
    case Content::kObject:
      return "objects";
    case Content::kText:
      return "text";
    case Content::kPointers:
      return "pointers";
    case Content::kZero:
      return "zero";
    default:
      return "other";
  }
}

Content content_of(std::span<const std::uint64_t> words, std::size_t bytes,
                   const std::function<bool(std::uint64_t)>& is_address) {
  std::size_t pointers = 0, zero = 0;
  for (std::uint64_t word : words) {
    zero += word == 0;
    pointers += word != 0 && is_address(word);
  }
  if (zero == words.size()) return Content::kZero;
  if (pointers * 2 > words.size() - zero) return Content::kPointers;
  std::string_view text(reinterpret_cast<const char*>(words.data()), std::min(bytes, words.size_bytes()));
  return is_text(text) ? Content::kText : Content::kOther;
}

BlockKinds::BlockKinds(const Target& target, TypeNames::FileReader files)
    : target_(target), types_(target, std::move(files)), window_(target.memory) {}

bool BlockKinds::is_address(std::uint64_t word) const {
  auto after = std::upper_bound(target_.mappings.begin(), target_.mappings.end(), word,
                                [](std::uint64_t a, const Mapping& mapping) { return a < mapping.start; });
  return after != target_.mappings.begin() && word < (after - 1)->end;
}

BlockKind BlockKinds::of(std::uint64_t address, std::uint64_t usable) {
  std::array<std::uint64_t, kContentWords> words{};
  std::size_t count = std::min<std::uint64_t>(kContentWords, usable / 8);
  for (std::size_t i = 0; i < count; ++i)
    words[i] = window_.at<std::uint64_t>(address + 8 * i, address + kReadAhead).value_or(0);
  BlockKind kind;
  kind.type = count ? types_.of(words[0]) : TypeNames::kNone;
  if (kind.type == TypeNames::kNone && count > 1 && words[0] > 0 && words[0] < kMostElements) {
    kind.type = types_.of(words[1]);
    kind.array = kind.type != TypeNames::kNone;
  }
  kind.content = Content::kObject;
  if (kind.type == TypeNames::kNone)
    kind.content = content_of({words.data(), count}, usable, [this](std::uint64_t word) { return is_address(word); });
  return kind;
}

CensusMaker::CensusMaker(const Target& target, TypeNames::FileReader files) : kinds_(target, std::move(files)) {}

void CensusMaker::add(std::span<const Block> blocks) {
  for (const Block& block : blocks)
    if (is_live(block.state)) add(block);
}

void CensusMaker::add(const Block& block) {
  BlockKind kind = kinds_.of(block.address, block.usable);
  census_.contents[static_cast<std::size_t>(kind.content)].add(block.usable, 0);
  if (kind.type == TypeNames::kNone) return;
  std::vector<Amount>& amounts = kind.array ? arrays_ : single_;
  if (kind.type >= amounts.size()) amounts.resize(kind.type + 1);
  amounts[kind.type].add(block.usable, 0);
}

Census CensusMaker::finish() {
  auto rows = [&](const std::vector<Amount>& amounts, bool array) {
    for (std::size_t i = 0; i < amounts.size(); ++i)
      if (amounts[i].blocks) census_.types.push_back({kinds_.mangled(static_cast<std::uint32_t>(i)), array, amounts[i]});
  };
  rows(single_, false);
  rows(arrays_, true);
  std::sort(census_.types.begin(), census_.types.end(),
            [](const TypeRow& a, const TypeRow& b) { return a.amount.bytes > b.amount.bytes; });
  return std::move(census_);
}

}  // namespace dwell::memory::heap
