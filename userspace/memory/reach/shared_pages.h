// SPDX-License-Identifier: Apache-2.0
// Memory that a process shares with others, as far as it has not touched it itself: a child does not inherit its parent's page tables of it,
// and what the parent left there may be all that leads to a block of both. Read from the file behind the mapping, so that no page comes
// into the process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "userspace/memory/account/smaps.h"

namespace dwell::memory::reach {

// `visit` gets words and the address of the first of them in the process. What cannot be opened, and what is beyond 1 GB in all, is left out.
using WordVisitor = std::function<void(std::span<const std::uint64_t> words, std::uint64_t address)>;
void for_each_shared_word(pid_t pid, const std::vector<MappingUse>& uses, const WordVisitor& visit);

}  // namespace dwell::memory::reach
