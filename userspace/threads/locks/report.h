// SPDX-License-Identifier: Apache-2.0
// Waits for locks as reports show them: by the place that waited and by the lock, with the places that held
// it up; and for how long locks that were waited for were held, by the place that did. Of the waits in futex
// calls those for locks, by the functions that they are in: not those for condition variables, threads, or
// events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/recording/model.h"
#include "userspace/threads/lock_kinds.h"
#include "userspace/threads/locks/waits.h"
#include "userspace/views/block_sites.h"
#include "userspace/views/profile.h"
#include "userspace/views/report_stack.h"

namespace dwell {

struct LockFigures {
  std::uint64_t ns = 0, times = 0, longest_ns = 0;
};

// Who released it, and so ended waits.
struct LockHolder : LockFigures {
  LockWaitEnd end = LockWaitEnd::kUnknown;
  ReportStack stack;  // of kReleased
  std::string incomplete;
};

// A place and a lock, or all locks without a name that one such place deals with.
struct LockSite : LockFigures {
  ProcessSlot process = 0;
  LockFamily family = LockFamily::kUnknown;
  std::string name;                    // of the global variable; "": it is none
  std::vector<std::uint64_t> futexes;  // locks without a name
  ReportStack stack;
  std::string incomplete;
  std::optional<BlockSite> block;  // the memory that the first of `futexes` lies in
};

struct LockRow : LockSite {
  std::vector<LockHolder> holders;  // the longest first
};

struct LockHoldRow : LockSite {
  bool at_least =
      false;  // held since others waited for it, until released here; else taken here, after a wait
};

struct LockReport {
  std::vector<LockRow> rows;       // the longest first
  LockFigures all;                 // of them
  LockFigures other;               // waits in futex calls that are for no lock
  std::vector<LockHoldRow> holds;  // the longest first; of mutexes alone, which say when they are released
};

// `blocks`: who knows who allocated an address; null: nobody.
LockReport lock_report(RecordingRef recording, const BlockSites* blocks);
// Sample types: waits, waited, holds, held. Labels: lock, holder; of holds: lock, figures ("since the first
// wait": no more than a lower bound).
Profile lock_profile(const Recording& recording);

std::string lock_words(const LockSite& row);  // "mutex queue_lock", "mutex at 0x7f001234", "12 mutexes"

}  // namespace dwell
