// SPDX-License-Identifier: Apache-2.0
// In which form this kernel has uprobe sessions, and the object of each form: bpf/session.h says why there is
// more than one.
//
//   std::unique_ptr<::alloc, ...> object(DWELL_OPEN_IN_SESSION_FORM(alloc, session_form_for(method)));
//
// All forms have the same maps, programs and variables, so one skeleton type serves them all.
#pragma once

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "userspace/probes/attach.h"

struct btf;

namespace dwell {

enum class SessionForm {
  kNone,     // up to Linux 6.12
  kPlain,    // 6.13 to 7.1
  kContext,  // 7.2 and newer
};

SessionForm session_form(const btf& kernel_types);
SessionForm session_form();  // of this kernel; read once

// What to open for probes that are attached by that method: nothing but sessions needs more than kNone.
SessionForm session_form_for(AttachMethod method);

// Opens `skeleton`, just created, with the bytes of another form of its object.
int open_skeleton_bytes(bpf_object_skeleton& skeleton, const void* bytes, std::size_t size);

// Null and errno, as the skeleton's own open().
template <class Skeleton>
Skeleton* open_in_session_form(SessionForm form, int (*create)(Skeleton*), void (*destroy)(Skeleton*),
                               const void* (*plain)(std::size_t*), const void* (*context)(std::size_t*)) {
  auto* object = static_cast<Skeleton*>(std::calloc(1, sizeof(Skeleton)));
  if (!object) return nullptr;
  int error = create(object);
  if (!error) {
    std::size_t size = object->skeleton->data_sz;
    const void* bytes = object->skeleton->data;
    if (form == SessionForm::kPlain) bytes = plain(&size);
    if (form == SessionForm::kContext) bytes = context(&size);
    error = open_skeleton_bytes(*object->skeleton, bytes, size);
  }
  if (!error) return object;
  destroy(object);
  errno = -error;
  return nullptr;
}

}  // namespace dwell

#define DWELL_OPEN_IN_SESSION_FORM(name, form)                                            \
  ::dwell::open_in_session_form<::name>(form, name##__create_skeleton, name##__destroy,   \
                                        name##_session_plain__elf_bytes, name##_session_context__elf_bytes)
