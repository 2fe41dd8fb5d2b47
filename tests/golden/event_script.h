// SPDX-License-Identifier: Apache-2.0
// Events as text, and the recording that they make.
//
//   module PATH BUILD_ID
//   stack NAME FRAME;FRAME;...      leaf first; FRAME is PATH+0xOFFSET=FUNCTION,FILE,LINE (or just PATH+0xOFFSET)
//   SECONDS alloc ADDRESS SIZE STACK TID
//   SECONDS free ADDRESS TID
//   SECONDS realloc OLD_ADDRESS ADDRESS SIZE STACK TID
//   SECONDS map ADDRESS SIZE STACK TID
//   SECONDS unmap ADDRESS SIZE TID
//   SECONDS lost-frees COUNT
//   SECONDS end
//
// Numbers may be hexadecimal. A tick ends at each full second.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/recording/model.h"

namespace dwell {

struct RecordedScript {
  std::vector<LocationSymbol> symbols;  // by location
};

// Writes the recording to `path`; with its symbols, or without.
Result<RecordedScript> record_script(std::string_view script, const std::string& path, bool with_symbols);

}  // namespace dwell
