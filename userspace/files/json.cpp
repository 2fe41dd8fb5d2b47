// SPDX-License-Identifier: Apache-2.0
#include "ui/escape.h"
#include "userspace/files/findings.h"
#include "userspace/files/groups.h"
#include "userspace/files/text.h"

namespace dwell::files {
namespace {

constexpr int kFilesJsonVersion = 1;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(printable(text)); }
Json number_or_null(std::uint64_t number) { return number ? Json(number) : Json(nullptr); }
template <typename T>
Json known_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json holder_json(const Holder& holder) { return {{"pid", holder.pid}, {"name", printable(holder.name)}, {"fd", holder.fd}}; }

Json socket_json(const Socket& socket) {
  return {{"protocol", socket.protocol},
          {"state", text_or_null(socket.state)},
          {"local", text_or_null(socket.local)},
          {"peer", text_or_null(socket.peer)},
          {"listening", socket.listening},
          {"receive_queue", socket.receive_queue},
          {"send_queue", socket.send_queue},
          {"quiet_ns", known_or_null(socket.quiet_ns)}};
}

Json file_lock_json(const FileLock& lock) {
  return {{"kind", name_of(lock.kind)},
          {"writes", lock.writes},
          {"from", lock.from},
          {"until", known_or_null(lock.until)}};
}

Json file_json(const SeenFile& seen) {
  const OpenFile& file = seen.file;
  return {{"fd", file.fd},
          {"kind", name_of(file.kind)},
          {"name", text_or_null(file.name)},
          {"inode", number_or_null(file.inode)},
          {"readable", file.readable},
          {"writable", file.writable},
          {"size", file.size},
          {"count", known_or_null(file.count)},
          {"watched", file.kind == FileKind::kEpoll ? Json(file.watched) : Json(nullptr)},
          {"process", file.process ? Json(file.process) : Json(nullptr)},
          {"locks", list(file.locks, file_lock_json)},
          {"socket", seen.socket ? socket_json(*seen.socket) : Json(nullptr)},
          {"also_held_by", list(seen.also, holder_json)},
          {"other_end", seen.has_other_end ? list(seen.other_end, holder_json) : Json(nullptr)}};
}

Json finding_json(const Finding& finding) {
  return {{"weight", name_of(finding.weight)}, {"headline", printable(finding.headline)}, {"evidence", list(finding.evidence, text_json)}};
}

Json group_json(const FilesLook& look, const FileGroup& group) {
  Json descriptors = Json::array();
  for (std::size_t index : group.files) descriptors.push_back(look.files[index].file.fd);
  return {{"kind", printable(group.kind)},
          {"state", text_or_null(group.state)},
          {"what", text_or_null(group.what)},
          {"count", group.files.size()},
          {"size", group.size},
          {"receive_queue", group.unread},
          {"send_queue", group.unsent},
          {"quiet_ns", known_or_null(group.quiet_ns)},
          {"descriptors", descriptors}};
}

Json port_json(const PortUse& use) { return {{"from", use.from}, {"to", use.to}, {"ports", use.ports}}; }

Json limits_json(const FilesLook& look) {
  const SystemLimits& system = look.system;
  return {{"process", number_or_null(look.limit)},
          {"of_any_process", number_or_null(system.most_of_a_process)},
          {"system", number_or_null(system.most)},
          {"system_open", number_or_null(system.open)},
          {"conntrack", number_or_null(system.most_conntrack)},
          {"conntrack_used", number_or_null(system.conntrack)},
          {"ephemeral_ports", number_or_null(look.ephemeral_ports)}};
}

}  // namespace

Json files_json(const FilesLook& look) {
  Json json = {{"format", "dwell files"},
               {"version", kFilesJsonVersion},
               {"pid", look.process.pid},
               {"name", printable(look.process.name)},
               {"command_line", printable(look.process.command_line)},
               {"took_ns", look.took_ns},
               {"open", look.files.size()},
               {"limits", limits_json(look)},
               {"notes", list(look.notes, text_json)},
               {"findings", list(findings_of(look).findings, finding_json)}};
  Json& groups = json["groups"] = Json::array();
  for (const FileGroup& group : group_files(look)) groups.push_back(group_json(look, group));
  json["descriptors"] = list(look.files, file_json);
  json["ports"] = list(look.ports, port_json);
  return json;
}

}  // namespace dwell::files
