// SPDX-License-Identifier: Apache-2.0
// Names of all system calls, and where their arguments name a file. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace dwell {

// "newfstatat"; "" for a number that the kernels known here do not have.
std::string_view call_name(std::uint64_t call);

// Which argument is the path of the file that the call works on; -1: none. Paths of calls that end in "at" may be
// relative to the descriptor before them.
int path_argument(std::uint64_t call);

// Its first argument is a descriptor that it may wait for.
bool begins_with_descriptor(std::uint64_t call);

}  // namespace dwell
