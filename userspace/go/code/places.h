// SPDX-License-Identifier: Apache-2.0
// How a line of a Go program is written in a sentence: "main.go:81 (main.openSession)".
#pragma once

#include <fmt/core.h>

#include <string>

#include "userspace/go/runtime/frames.h"

namespace dwell {

inline std::string place_text(const GoCall& call) {
  std::string file = call.file.substr(call.file.rfind('/') + 1);
  return file.empty() ? call.function : fmt::format("{}:{} ({})", file, call.line, call.function);
}

// The program's own call of a stack; "" if there is none.
inline std::string own_place_text(std::span<const GoCall> calls) {
  const GoCall* own = own_call(calls);
  return own ? place_text(*own) : "";
}

}  // namespace dwell
