// SPDX-License-Identifier: Apache-2.0
#include "ui/number_columns.h"

namespace dwell {

void NumberColumns::begin(std::string_view) { begin_ = bytes_.size(); }

void NumberColumns::append(std::int64_t number) {
  std::uint64_t left = (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63);
  for (; left >= 0x80; left >>= 7) bytes_ += static_cast<char>(left | 0x80);
  bytes_ += static_cast<char>(left);
}

void NumberColumns::end(std::string_view name, std::size_t numbers) { index_[std::string(name)] = {begin_, numbers}; }

}  // namespace dwell
