// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/subject.h"

#include "bpf/pairs.h"
#include "userspace/pairs/codec.h"
#include "userspace/pairs/report.h"
#include "userspace/pairs/text.h"
#include "userspace/pairs/tracing.h"

namespace dwell {
namespace {

Result<std::vector<pairs::PairSpec>> parse_all(const std::vector<std::string>& given) {
  std::vector<pairs::PairSpec> specs;
  for (const std::string& text : given) {
    Result<pairs::PairSpec> spec = pairs::parse_pair(text);
    if (!spec) return spec.error();
    for (const pairs::PairSpec& other : specs)
      if (other.name == spec->name) return Error{"--pair " + spec->name + " is given twice", "each has a name of its own", Exit::kUsage};
    specs.push_back(std::move(*spec));
  }
  if (specs.size() > DWELL_MOST_PAIRS) return Error{"too many --pair", "32 at most", Exit::kUsage};
  return specs;
}

Result<void> check_values(const std::vector<std::string>& given) {
  Result<std::vector<pairs::PairSpec>> specs = parse_all(given);
  return specs ? Result<void>() : specs.error();
}

std::vector<TracerLoader> pair_tracers(const Chosen& chosen, const RecordOptions&, const Peers&) {
  auto given = chosen.values.find("held");
  Result<std::vector<pairs::PairSpec>> specs = parse_all(given == chosen.values.end() ? std::vector<std::string>() : given->second);
  if (!specs || specs->empty()) return {};
  return {pairs::PairTracing::loader(std::move(*specs))};
}

std::string pairs_section(const Recording& recording, const SectionStyle& how, const Peers&) {
  return pairs::follows_pairs(recording) ? pairs::pairs_text(pairs::pair_report(recording), how) : "";
}

std::vector<std::string> sentences_of_pairs(const Recording& recording, const Peers&) {
  return pairs::follows_pairs(recording) ? pairs::pair_sentences(pairs::pair_report(recording)) : std::vector<std::string>();
}

void add_pairs_json(const Recording& recording, const Peers&, Json& whole) {
  if (pairs::follows_pairs(recording)) whole["pairs"] = pairs::pairs_json(pairs::pair_report(recording));
}

}  // namespace

Subject pairs_subject() {
  Subject subject;
  subject.name = "pairs";
  subject.sentence = "what functions of your own take and give back: pools, connections, references";
  subject.chunks = pairs::kPairsChunks;
  subject.views = {{"held", "resources of --pair by the call site that took them", pairs::follows_pairs, "dwell record --pair NAME=TAKE:GIVE",
                    pairs::pair_profile}};
  subject.followed = {{.name = "held",
                       .sentence = "what functions of your own take, and whether they give it back",
                       .flag = "--pair",
                       .flag_help = "follow a resource of your own: which functions take it and give it back, and by which argument its size is "
                                    "told; several times: several resources (docs/pairs.md)",
                       .value_name = "NAME=TAKE:GIVE[:SIZE]",
                       .check_values = check_values}};
  subject.tracers = pair_tracers;
  subject.behind = pairs_section;
  subject.sentences = sentences_of_pairs;
  subject.json = add_pairs_json;
  return subject;
}

}  // namespace dwell
