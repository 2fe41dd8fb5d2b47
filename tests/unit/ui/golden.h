// SPDX-License-Identifier: Apache-2.0
// Compares output with the file of that name in tests/golden/ui. scripts/update-golden writes those files.
#pragma once

#include <string>
#include <string_view>

namespace dwell {

void expect_golden(const std::string& file, std::string_view actual);

}  // namespace dwell
