// SPDX-License-Identifier: Apache-2.0
// What all reports as JSON have in common. docs/report-json.md is their contract.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "userspace/base/known_time.h"
#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"

namespace dwell {

using Json = nlohmann::ordered_json;

Json frame_json(const ReportFrame& frame);
Json stack_json(const std::vector<ReportFrame>& stack);
Json recording_json(const RecordingInfo& info, std::uint64_t duration_ns);
Json process_json(const ProcessInfo& process);
Json text_json(const std::string& text);  // made printable
Json time_json(const KnownTime& time);     // null: not known

template <typename T>
Json list(const std::vector<T>& items, Json (*one)(const T&)) {
  Json result = Json::array();
  for (const T& item : items) result.push_back(one(item));
  return result;
}

// A whole report, as it is written.
std::string json_text(const Json& json);

}  // namespace dwell
