// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/subject.h"

#include "userspace/files/look_part.h"
#include "userspace/files/opened/codec.h"
#include "userspace/files/opened/counted.h"
#include "userspace/files/opened/report.h"
#include "userspace/files/opened/text.h"
#include "userspace/files/opened/tracing.h"

namespace dwell {
namespace {

std::vector<TracerLoader> tracers(const Chosen& chosen, const RecordOptions&, const Peers&) {
  return {files::DescriptorTracing::loader(chosen.by_name)};
}

std::string behind(const Recording& recording, const SectionStyle& how, const Peers&) {
  return files::follows_descriptors(recording) ? files::descriptors_text(recording, files::descriptor_report(recording), how) : "";
}

std::vector<std::string> sentences(const Recording& recording, const Peers&) {
  if (!files::follows_descriptors(recording)) return files::growth_sentences(recording);
  return files::descriptor_sentences(files::descriptor_report(recording));
}

void add_json(const Recording& recording, const Peers&, Json& whole) {
  if (files::follows_descriptors(recording)) whole["descriptors"] = files::descriptors_json(files::descriptor_report(recording));
  if (Json counts = files::descriptor_counts_json(recording); !counts.empty()) whole["descriptor_counts"] = std::move(counts);
}

}  // namespace

Subject files_subject() {
  Subject subject;
  subject.name = "files";
  subject.sentence = "what a process has open, who opened it, and who holds the other end";
  subject.chunks = files::kFilesChunks;
  subject.views = {{"open", "descriptors by the call site that opened them", files::follows_descriptors, "dwell record --files",
                    files::descriptor_profile}};
  subject.followed = {{"open", "who opens descriptors, what becomes of them, and which are never closed", true, "--files",
                       "record who opens descriptors also where the kernel lacks BPF trampolines: makes each system call of the machine dearer"}};
  subject.tracers = tracers;
  subject.look = files::files_look_command();
  subject.behind = behind;
  subject.sentences = sentences;
  subject.json = add_json;
  return subject;
}

}  // namespace dwell
