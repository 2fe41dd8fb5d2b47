// SPDX-License-Identifier: Apache-2.0
// The descriptors of a process as text and as JSON.
#pragma once

#include <cstddef>
#include <string>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/files/look.h"

namespace dwell::files {

struct FilesTextOptions {
  TextStyle style;
  std::size_t rows = 20;
  bool each = false;  // every descriptor in a row of its own
};
std::string files_text(const FilesLook& look, const FilesTextOptions& options);
Json files_json(const FilesLook& look);  // docs/files.md is its contract

}  // namespace dwell::files
