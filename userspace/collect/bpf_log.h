// SPDX-License-Identifier: Apache-2.0
// What libbpf has to say, kept off the terminal: shown with --verbose, and quoted in our own errors.
#pragma once

#include <string>

namespace dwell {

void listen_to_libbpf(bool verbose = false);  // verbose: also to standard error
// The last warning since the one before was asked for, one line, without libbpf's prefix. "" if there is none.
std::string last_bpf_complaint();

}  // namespace dwell
