// SPDX-License-Identifier: Apache-2.0
// TextSink: takes a long text piece by piece, so that nobody has to hold all of it.
#pragma once

#include <functional>
#include <string_view>

namespace dwell {

using TextSink = std::function<void(std::string_view)>;

}  // namespace dwell
