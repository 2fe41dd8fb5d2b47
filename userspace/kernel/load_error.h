// SPDX-License-Identifier: Apache-2.0
// Why BPF programs were not loaded or attached: the verifier's refusal, what the kernel lacks, or privileges, each
// told as what it is. The verifier answers EACCES, as missing privileges do.
#pragma once

#include <string>

#include "userspace/base/privileges.h"
#include "userspace/base/result.h"
#include "userspace/kernel/bpf_log.h"

namespace dwell {

// After a failed call of libbpf or bpf(2), with what libbpf said of it.
Error bpf_error(const std::string& doing, int error_number);
// bpf_error() of: load the BPF programs for `what`.
Error load_error(const std::string& what, int error_number);

// Pure.
Error explain_bpf_failure(const std::string& doing, int error_number, const BpfComplaint& said,
                          const CapabilitySets& held, const std::string& kernel_release);

}  // namespace dwell
