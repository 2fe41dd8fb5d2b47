// SPDX-License-Identifier: Apache-2.0
// NumberColumns: columns of whole numbers as compact bytes, for a program that reads them in a browser.
//
// A column is a sequence of variable-length numbers: seven bits a byte, lowest first, the top bit set on all but the last.
// Signed numbers are folded first (0, -1, 1, -2 ... become 0, 1, 2, 3 ...). ui/html/decode.js reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ui/json_parts.h"

namespace dwell {

class NumberColumns {
 public:
  template <typename T>
  void add(std::string_view name, const std::vector<T>& numbers) {
    begin(name);
    for (T number : numbers) append(static_cast<std::int64_t>(number));
    end(name, numbers.size());
  }

  const std::string& bytes() const { return bytes_; }
  const Json& index() const { return index_; }  // name -> [first byte, numbers]

 private:
  void begin(std::string_view name);
  void append(std::int64_t number);
  void end(std::string_view name, std::size_t numbers);

  std::string bytes_;
  std::size_t begin_ = 0;
  Json index_ = Json::object();
};

}  // namespace dwell
