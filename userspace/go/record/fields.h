// SPDX-License-Identifier: Apache-2.0
// Fields that the chunks of Go programs share.
#pragma once

#include <fmt/core.h>

#include <optional>
#include <string>

#include "userspace/go/record/look.h"
#include "userspace/recording/bytes.h"
#include "userspace/recording/model.h"

namespace dwell {

template <typename T>
void put_optional(std::string& out, const std::optional<T>& value) {
  put_uleb(out, value.has_value());
  if (value) put_difference(out, static_cast<std::uint64_t>(*value));
}
template <typename T>
void get_optional(Cursor& in, std::optional<T>& value) {
  if (in.uleb()) value = static_cast<T>(get_difference(in));
}

// One bit a call, the first in the lowest of the first byte.
inline void put_go_stack(std::string& out, const GoStack& stack) {
  put_uleb(out, static_cast<std::uint64_t>(stack.stack));
  put_uleb(out, stack.hidden.size());
  std::string bits((stack.hidden.size() + 7) / 8, '\0');
  for (std::size_t i = 0; i < stack.hidden.size(); ++i)
    if (stack.hidden[i]) bits[i / 8] = static_cast<char>(bits[i / 8] | 1 << i % 8);
  out += bits;
}

// What is wrong with it, "" if nothing is.
inline std::string get_go_stack(Cursor& in, const Recording& recording, GoStack& stack) {
  std::uint64_t id = in.uleb(), calls = in.uleb();
  if (calls / 8 > in.remaining()) in.fail();
  std::string_view bits = in.text((calls + 7) / 8);
  if (!in.ok()) return "it ends in the middle of a field";
  if (id >= recording.stacks.size()) return fmt::format("stack {} of {}", id, recording.stacks.size());
  stack.stack = static_cast<StackId>(id);
  for (std::size_t i = 0; i < calls; ++i) stack.hidden.push_back(bits[i / 8] >> i % 8 & 1);
  return "";
}

}  // namespace dwell
