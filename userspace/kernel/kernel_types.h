// SPDX-License-Identifier: Apache-2.0
// The running kernel's own description of its types (BTF): what it has, and in which form.
#pragma once

struct btf;

namespace dwell {

const btf* kernel_types();  // read once; null: the kernel offers none, or it may not be read
bool kernel_has_struct(const char* name);
bool kernel_has_function(const char* name);

}  // namespace dwell
