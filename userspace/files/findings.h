// SPDX-License-Identifier: Apache-2.0
// What is wrong with the descriptors of a process, as findings.
#pragma once

#include <optional>

#include "userspace/files/look.h"
#include "userspace/record/look_command.h"

namespace dwell::files {

std::optional<Findings> files_findings(const LookRequest& request);
// Pure.
Findings findings_of(const FilesLook& look);

}  // namespace dwell::files
