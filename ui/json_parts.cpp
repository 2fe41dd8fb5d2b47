// SPDX-License-Identifier: Apache-2.0
#include "ui/json_parts.h"

#include "ui/escape.h"

namespace dwell {

Json frame_json(const ReportFrame& frame) {
  return {{"function", printable(frame.function)},
          {"file", frame.file.empty() ? Json(nullptr) : Json(printable(frame.file))},
          {"line", frame.line ? Json(frame.line) : Json(nullptr)},
          {"module", frame.module.empty() ? Json(nullptr) : Json(printable(frame.module))},
          {"offset", frame.offset},
          {"named", frame.named},
          {"inlined", frame.inlined}};
}

Json stack_json(const std::vector<ReportFrame>& stack) {
  Json frames = Json::array();
  for (const ReportFrame& frame : stack) frames.push_back(frame_json(frame));
  return frames;
}

Json recording_json(const RecordingInfo& info, std::uint64_t duration_ns) {
  Json extra = Json::object();
  for (const auto& [key, value] : info.extra) extra[printable(key)] = printable(value);
  return {{"dwell_version", printable(info.dwell_version)},
          {"host", printable(info.host)},
          {"kernel", printable(info.kernel)},
          {"arch", printable(info.arch)},
          {"container", info.container.empty() ? Json(nullptr) : Json(printable(info.container))},
          {"command_line", printable(info.command_line)},
          {"start_unix_ns", info.start_unix_ns},
          {"duration_ns", duration_ns},
          {"started_by_dwell", info.started_by_dwell},
          {"sample_period_bytes", info.sample_period_bytes ? Json(info.sample_period_bytes) : Json(nullptr)},
          {"extra", std::move(extra)}};
}

Json process_json(const ProcessInfo& process) {
  return {{"pid", process.pid},
          {"parent", process.parent < 0 ? Json(nullptr) : Json(process.parent)},
          {"name", printable(process.name)},
          {"command_line", printable(process.command_line)}};
}

Json text_json(const std::string& text) { return printable(text); }

Json time_json(const KnownTime& time) { return time ? Json(*time) : Json(nullptr); }

std::string json_text(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace dwell
