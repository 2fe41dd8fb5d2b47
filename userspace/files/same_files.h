// SPDX-License-Identifier: Apache-2.0
// Which of a process's open files its parent and children have too: one open file, with one position, that was inherited.
// Asks kcmp(2), for files, eventfds and so on have no number of their own that other processes show.
#pragma once

#include "userspace/files/look.h"

namespace dwell::files {

void add_same_files(FilesLook& look);

}  // namespace dwell::files
