// SPDX-License-Identifier: Apache-2.0
// What became of the descriptors of each call site within a tick, and which are open: as a recording holds them.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>
#include <vector>

#include "userspace/process/open_files.h"
#include "userspace/recording/ids.h"
#include "userspace/recording/lifetimes.h"

namespace dwell::files {

// How a process came to a descriptor. Recordings hold these numbers.
enum class Opening : std::uint8_t {
  kOpened = 0,   // by the system call that is made for it
  kAccepted,     // accept
  kDuplicated,   // dup, dup2, dup3, fcntl
  kReceived,     // in a message, by SCM_RIGHTS
  kFetched,      // from another process, by pidfd_getfd
  kByRing,       // by an io_uring
  kBefore,       // it was open when the recording began
  kInherited,    // from the process that forked this one
  kUnseen,       // it is open, and nobody saw how it came about
  kOpenings,
};
std::string_view name_of(Opening opening);  // "opened", "accepted", "dup", ...

struct DescriptorSite {
  ProcessSlot process = 0;
  StackId stack = StackId::kUnknown;
  FileKind kind = FileKind::kOther;
  Opening opening = Opening::kOpened;
  auto operator<=>(const DescriptorSite&) const = default;
};

struct DescriptorChange {
  DescriptorSite site;
  std::uint64_t opened = 0, closed = 0;
  Lifetimes lifetimes;  // of those closed whose opening is known
  bool operator==(const DescriptorChange&) const = default;
};

struct DescriptorTick {
  std::uint64_t start_ns = 0, end_ns = 0;
  std::vector<DescriptorChange> changes;  // of sites of which there is something to say
  bool operator==(const DescriptorTick&) const = default;
};

struct OpenDescriptor {
  DescriptorSite site;
  std::uint32_t fd = 0;
  std::uint64_t opened_ns = 0;  // 0: not known
  bool left_by_peer = false;    // a TCP connection that only the other side has closed
  bool operator==(const OpenDescriptor&) const = default;
};

// The ledger of a process held against /proc/PID/fd.
struct DescriptorCheck {
  ProcessSlot process = 0;
  std::uint64_t agree = 0;   // open in both
  std::uint64_t gone = 0;    // open in the ledger only: their closing was not seen
  std::uint64_t unseen = 0;  // open in the process only: their opening was not seen
  bool operator==(const DescriptorCheck&) const = default;
};

struct OpenDescriptors {
  std::uint64_t time_ns = 0;
  std::vector<OpenDescriptor> descriptors;  // by process and number
  std::vector<DescriptorCheck> checks;      // of processes that were there at the end
  bool operator==(const OpenDescriptors&) const = default;
};

}  // namespace dwell::files
