// SPDX-License-Identifier: Apache-2.0
// Rows for Go code, out of the runtime's own table of functions, which stays in stripped programs: how deep the stack is at
// each address, and the few functions that go on on another stack (go_switches.h).
#pragma once

#include "symbolizer/elf_file.h"
#include "userspace/unwind/eh_frame.h"

namespace dwell {

// Empty: no Go in this file.
FrameRows go_frames(const ElfFile& elf);

}  // namespace dwell
