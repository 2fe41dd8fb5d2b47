// SPDX-License-Identifier: Apache-2.0
// Lifetimes in a table and as JSON.
#pragma once

#include <string>

#include "ui/json_parts.h"
#include "userspace/recording/lifetimes.h"

namespace dwell {

std::string lifetime_text(const Lifetimes& lifetimes);  // "< 1.05 ms": 95 % of them; "-": there are none
// A list of classes, each with its upper bound; `ended` names the count: "closed".
Json lifetimes_json(const Lifetimes& lifetimes, const char* ended);

}  // namespace dwell
