// SPDX-License-Identifier: Apache-2.0
#include "ui/json_stream.h"

namespace dwell {

void JsonStream::begin_member(std::string_view name) {
  sink_(first_ ? "{\n " : ",\n ");
  first_ = false;
  sink_(Json(std::string(name)).dump());
  sink_(": ");
}

// A line break within a text is written as \n, so those that are there are between values.
void JsonStream::write(const Json& value, std::size_t depth) {
  std::string text = json_text(value), indent(depth, ' ');
  std::string_view left = std::string_view(text).substr(0, text.size() - 1);
  for (std::size_t at; (at = left.find('\n')) != left.npos; left.remove_prefix(at + 1)) {
    sink_(left.substr(0, at + 1));
    sink_(indent);
  }
  sink_(left);
}

void JsonStream::member(std::string_view name, const Json& value) {
  begin_member(name);
  write(value, 1);
}

void JsonStream::members(const Json& object) {
  for (const auto& [name, value] : object.items()) member(name, value);
}

}  // namespace dwell
