// SPDX-License-Identifier: Apache-2.0
// How a Go program's heap profile and its collector's figures read.
#pragma once

#include <string>

#include "ui/text_style.h"
#include "userspace/go/heap/collector.h"
#include "userspace/go/waits/contention_profile.h"
#include "userspace/go/heap/profile.h"

namespace dwell {

std::string heap_profile_text(const HeapProfile& profile, std::size_t sites, const TextStyle& style);
// Since the program began.
std::string contention_text(const ContentionProfile& profile, std::size_t sites, const TextStyle& style);
std::string collector_text(const Collector& collector, const TextStyle& style);

}  // namespace dwell
