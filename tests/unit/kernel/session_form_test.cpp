// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/session_form.h"

#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <memory>

namespace dwell {
namespace {

using Types = std::unique_ptr<btf, void (*)(btf*)>;

// Types of a kernel whose bpf_session_is_return() takes so many arguments.
Types kernel_with(int arguments) {
  Types types(btf__new_empty(), btf__free);
  int boolean = btf__add_int(types.get(), "bool", 1, BTF_INT_BOOL);
  int pointer = btf__add_ptr(types.get(), 0);
  int prototype = btf__add_func_proto(types.get(), boolean);
  for (int i = 0; i < arguments; ++i) btf__add_func_param(types.get(), "ctx", pointer);
  btf__add_func(types.get(), "bpf_session_is_return", BTF_FUNC_GLOBAL, prototype);
  return types;
}

TEST(SessionForm, FollowsTheKernelsPrototype) {
  EXPECT_EQ(session_form(*kernel_with(0)), SessionForm::kPlain);    // 6.13 to 7.1
  EXPECT_EQ(session_form(*kernel_with(1)), SessionForm::kContext);  // 7.2
  Types none(btf__new_empty(), btf__free);
  EXPECT_EQ(session_form(*none), SessionForm::kNone);  // 6.12
}

TEST(SessionForm, OtherWaysToAttachNeedNone) {
  EXPECT_EQ(session_form_for(AttachMethod::kMulti), SessionForm::kNone);
  EXPECT_EQ(session_form_for(AttachMethod::kPerf), SessionForm::kNone);
}

}  // namespace
}  // namespace dwell
