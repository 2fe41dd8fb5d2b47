// SPDX-License-Identifier: Apache-2.0
// What dwell says about clocks, as JSON: docs/clocks-json.md.
#pragma once

#include <string>

#include "userspace/clocks/report_model.h"

namespace dwell {

std::string clocks_json(const ClocksReport& report);

}  // namespace dwell
