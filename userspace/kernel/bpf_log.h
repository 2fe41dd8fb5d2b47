// SPDX-License-Identifier: Apache-2.0
// What libbpf has to say, kept off the terminal: all of it with --verbose, and quoted in our own errors.
#pragma once

#include <string>
#include <string_view>

namespace dwell {

void listen_to_libbpf(bool verbose = false);  // verbose: also to standard error

// What libbpf said of one failure, from its first warning on.
struct BpfComplaint {
  std::string program;   // that the kernel's verifier refused; "" if none was
  std::string verifier;  // the line of the verifier's log that says why
  std::string field;     // "struct task_struct.robust_list": looked for in the kernel's types, in vain
  std::string first;     // libbpf's first warning, without its prefix
};
// What was said since the last call, or since listen_to_libbpf().
BpfComplaint last_bpf_complaint();

// Pure: one message of libbpf after the other, any number of lines each.
void add_to_complaint(BpfComplaint& complaint, std::string_view message);
// The line that says why, in the log of a program that was refused.
std::string_view verdict_of(std::string_view verifier_log);

}  // namespace dwell
