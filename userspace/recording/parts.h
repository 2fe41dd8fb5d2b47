// SPDX-License-Identifier: Apache-2.0
// Parts: what each subject keeps in a recording, found by its type. The recording itself knows none of them.
//
//   struct MemoryPart { ... };
//   recording.parts.get<MemoryPart>().ticks.push_back(tick);
#pragma once

#include <any>
#include <typeindex>
#include <utility>
#include <vector>

namespace dwell {

class Parts {
 public:
  // Made when it is first asked for. Good until another one is made.
  template <typename Part>
  Part& get() {
    for (auto& [type, part] : parts_)
      if (type == typeid(Part)) return *std::any_cast<Part>(&part);
    return *std::any_cast<Part>(&parts_.emplace_back(typeid(Part), Part()).second);
  }
  // An empty one where there is none.
  template <typename Part>
  const Part& get() const {
    for (const auto& [type, part] : parts_)
      if (type == typeid(Part)) return *std::any_cast<Part>(&part);
    static const Part empty;
    return empty;
  }

 private:
  std::vector<std::pair<std::type_index, std::any>> parts_;  // as many as there are subjects: a handful
};

}  // namespace dwell
