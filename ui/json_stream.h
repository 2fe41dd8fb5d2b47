// SPDX-License-Identifier: Apache-2.0
// JsonStream: a JSON object written member by member. A list in it may be longer than memory is.
//
// The text is that of json_text() of the whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ui/json_parts.h"
#include "userspace/base/text_sink.h"

namespace dwell {

class JsonStream {
 public:
  explicit JsonStream(const TextSink& sink) : sink_(sink) {}

  void member(std::string_view name, const Json& value);
  void members(const Json& object);  // all of it
  template <typename T>
  void list(std::string_view name, const std::vector<T>& items, Json (*one)(const T&)) {
    begin_member(name);
    const char* before = "[\n  ";
    for (const T& item : items) {
      sink_(before);
      write(one(item), 2);
      before = ",\n  ";
    }
    sink_(items.empty() ? "[]" : "\n ]");
  }
  void end() { sink_(first_ ? "{}\n" : "\n}\n"); }

 private:
  void begin_member(std::string_view name);
  void write(const Json& value, std::size_t depth);

  const TextSink& sink_;
  bool first_ = true;
};

}  // namespace dwell
