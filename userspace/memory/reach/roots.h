// SPDX-License-Identifier: Apache-2.0
// What holds blocks without being one: data of modules and relocated constants, thread-local storage, stacks from their stack
// pointers up, registers, all other writable memory, and words that the kernel keeps for the process.
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

#include "userspace/memory/account/smaps.h"
#include "userspace/memory/account/thread_stacks.h"
#include "userspace/memory/reach/block_index.h"
#include "userspace/memory/reach/late_words.h"
#include "userspace/memory/reach/registers.h"
#include "userspace/memory/reach/word_scan.h"

namespace dwell::memory::reach {

// Ranges to read, in address order, that do not overlap `heaps` but for `unknown`: parts of a heap that made no sense.
std::vector<heap::Range> root_ranges(const std::vector<MappingUse>& uses, std::vector<heap::Range> heaps,
                                     const std::vector<ThreadStack>& stacks, const std::vector<heap::Range>& unknown);

// Code that was generated: pointers in it stand in instructions, at any byte.
std::vector<heap::Range> generated_code(const std::vector<MappingUse>& uses);
std::vector<std::uint32_t> roots_in_code(const std::vector<heap::Range>& ranges, const BlockIndex& index, WordScan& scan, LateWords* late = nullptr);

// User data of epoll, and values that timers deliver.
std::vector<std::uint64_t> kernel_words(pid_t pid);
// Pure: of the text of /proc/PID/fdinfo/FD and /proc/PID/timers.
void add_epoll_words(std::string_view fdinfo, std::vector<std::uint64_t>& words);
void add_timer_words(std::string_view timers, std::vector<std::uint64_t>& words);

// The blocks that words in these ranges point to. `late`: gets those that lead into the heap and to none.
std::vector<std::uint32_t> roots_in(const std::vector<heap::Range>& ranges, const BlockIndex& index, WordScan& scan, LateWords* late = nullptr);
// `from`: where the first of them lies; 0: nowhere in memory.
void add_roots(std::span<const std::uint64_t> words, const BlockIndex& index, std::vector<std::uint32_t>& roots, LateWords* late = nullptr,
               std::uint64_t from = 0);

}  // namespace dwell::memory::reach
