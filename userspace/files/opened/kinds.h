// SPDX-License-Identifier: Apache-2.0
// What the records of bpf/descriptors.h say of a descriptor, and which system calls make one. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "bpf/descriptors.h"
#include "userspace/files/opened/tick.h"

namespace dwell::files {

FileKind kind_of(const dwell_fd_opened& record);
Opening opening_of(std::uint16_t call);  // dwell_header.probe

// dwell_fd_call, by number.
std::array<std::uint8_t, DWELL_FD_CALLS> descriptor_calls();

}  // namespace dwell::files
