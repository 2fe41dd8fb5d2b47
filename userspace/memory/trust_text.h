// SPDX-License-Identifier: Apache-2.0
// How far a report can be trusted: what is not seen, what was lost or is odd, whose stacks are whole, what it cost.
#pragma once

#include <string>

#include "ui/text_style.h"
#include "userspace/memory/report.h"

namespace dwell {

// In front of everything else, as the figures do not say what they leave out. "" if all is seen.
std::string unseen_text(const MemoryReport& report, const TextStyle& style);
// What was lost, and what the ledger did not understand.
std::string losses_text(const MemoryReport& report, const TextStyle& style);
std::string children_text(const MemoryReport& report, const TextStyle& style);
// "" if nothing was allocated.
std::string stack_quality_text(const MemoryReport& report, const TextStyle& style);
std::string recording_cost_text(const MemoryReport& report, const TextStyle& style);
// "Complete: no event lost, all stacks whole. Overhead 1.2 % of its CPU."
std::string completeness_line(const MemoryReport& report);
// The four of them.
std::string trust_text(const MemoryReport& report, const TextStyle& style);

}  // namespace dwell
