// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/subject.h"

#include "userspace/files/look_part.h"

namespace dwell {

Subject files_subject() {
  Subject subject;
  subject.name = "files";
  subject.sentence = "what a process has open, and who holds the other end";
  subject.look = files::files_look_command();
  return subject;
}

}  // namespace dwell
