// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/session_form.h"

#include <bpf/btf.h>

#include "userspace/kernel/kernel_types.h"

namespace dwell {

SessionForm session_form(const btf& kernel_types) {
  std::int32_t id = btf__find_by_name_kind(&kernel_types, "bpf_session_is_return", BTF_KIND_FUNC);
  const btf_type* function = id > 0 ? btf__type_by_id(&kernel_types, static_cast<std::uint32_t>(id)) : nullptr;
  const btf_type* prototype = function ? btf__type_by_id(&kernel_types, function->type) : nullptr;
  if (!prototype) return SessionForm::kNone;
  return btf_vlen(prototype) == 0 ? SessionForm::kPlain : SessionForm::kContext;
}

SessionForm session_form() {
  static const SessionForm form = kernel_types() ? session_form(*kernel_types()) : SessionForm::kNone;
  return form;
}

SessionForm session_form_for(AttachMethod method) {
  return method == AttachMethod::kSession ? session_form() : SessionForm::kNone;
}

int open_skeleton_bytes(bpf_object_skeleton& skeleton, const void* bytes, std::size_t size) {
  skeleton.data = bytes;
  skeleton.data_sz = size;
  return bpf_object__open_skeleton(&skeleton, nullptr);
}

}  // namespace dwell
