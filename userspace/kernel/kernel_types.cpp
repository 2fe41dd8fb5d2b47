// SPDX-License-Identifier: Apache-2.0
#include "userspace/kernel/kernel_types.h"

#include <bpf/btf.h>

#include <memory>

namespace dwell {

const btf* kernel_types() {
  static const std::unique_ptr<btf, void (*)(btf*)> types(btf__load_vmlinux_btf(), btf__free);
  return types.get();
}

bool kernel_has_struct(const char* name) {
  return kernel_types() && btf__find_by_name_kind(kernel_types(), name, BTF_KIND_STRUCT) > 0;
}

bool kernel_has_function(const char* name) {
  return kernel_types() && btf__find_by_name_kind(kernel_types(), name, BTF_KIND_FUNC) > 0;
}

}  // namespace dwell
