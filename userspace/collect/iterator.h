// SPDX-License-Identifier: Apache-2.0
// Task iterators: BPF programs that the kernel runs for each thread of a process, and that write records to whoever reads.
#pragma once

#include <bpf/libbpf.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "userspace/base/result.h"
#include "userspace/collect/free_with.h"

namespace dwell {

using IteratorLink = std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>;

// Null, with errno: the kernel refused. `target_tgid`: a variable of the program by which it passes over the threads of other
// processes, on the first kernels that have such iterators and can't be told whose threads (before 6.1).
IteratorLink attach_iterator(const bpf_program* program, pid_t pid, std::uint32_t* target_tgid);

// One run, and all that the program wrote. `doing`: for messages.
Result<std::string> run_iterator(const bpf_link* link, const std::string& doing);
// The same of a run that has a descriptor already (bpf_iter_create), with about `expected` bytes.
Result<std::string> read_iterator(int fd, const std::string& doing, std::size_t expected = 0);

}  // namespace dwell
