// SPDX-License-Identifier: Apache-2.0
// Looks at descriptors, made up.
#pragma once

#include "userspace/files/look.h"

namespace dwell::files {

inline FilesLook sample_files(std::uint64_t limit = 1024) {
  FilesLook look;
  look.process.pid = 812;
  look.process.name = "server";
  look.limit = limit;
  return look;
}

inline SeenFile& add_file(FilesLook& look, FileKind kind, const std::string& link) {
  SeenFile& seen = look.files.emplace_back();
  seen.file = classify_file(link, {});
  seen.file.kind = kind;
  seen.file.fd = static_cast<int>(look.files.size()) - 1;
  return seen;
}

inline SeenFile& add_tcp(FilesLook& look, const std::string& state, const std::string& peer, std::optional<std::uint64_t> quiet_ns = std::nullopt) {
  SeenFile& seen = add_file(look, FileKind::kSocket, "socket:[4711]");
  seen.socket = Socket();
  seen.socket->protocol = "TCP";
  seen.socket->state = state;
  seen.socket->local = "10.0.0.1:40000";
  seen.socket->peer = peer;
  seen.socket->quiet_ns = quiet_ns;
  return seen;
}

}  // namespace dwell::files
