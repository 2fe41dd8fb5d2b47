// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/lock_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/threads/own_ids.h"

namespace dwell {
namespace {

std::string name_of(const SeenThread& thread) {
  return std::string(thread.record.name, ::strnlen(thread.record.name, sizeof thread.record.name));
}

std::string status_field(pid_t pid, std::string_view name) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid), 1 << 16);
  if (!status) return "";
  for (std::string_view line : split(*status, '\n'))
    if (line.starts_with(name)) return std::string(line.substr(std::min(line.size(), name.size() + 1)));
  return "";
}

}  // namespace

LockTable::LockTable(pid_t pid, DataSymbols& data, std::span<const SeenThread* const> threads)
    : pid_(pid), memory_(pid), data_(data) {
  read_ = [this](std::uint64_t address, void* to, std::size_t size) {
    return memory_.read(address, to, size);
  };
  for (const SeenThread* thread : threads) {
    threads_.push_back({thread->record.own_tid, thread->record.thread_pointer});
    by_own_tid_[thread->record.own_tid] = thread;
  }
}

std::int32_t LockTable::add(std::uint64_t futex, LockFamily family) {
  LockObject lock = read_lock(futex, family, threads_, read_);
  auto [known, fresh] =
      known_.try_emplace({lock.address, lock.kind}, static_cast<std::int32_t>(facts_.size()));
  if (!fresh) return known->second;
  facts_.push_back(describe(lock));
  objects_.push_back(std::move(lock));
  return known->second;
}

LockFacts LockTable::describe(const LockObject& lock) {
  LockFacts facts;
  facts.address = lock.address;
  facts.kind = lock.kind;
  facts.shared = lock.shared || data_.is_shared(lock.address);
  facts.readers = lock.readers;
  if (lock.names_owner) find_owner(lock, facts);
  if (lock.kind == WaitKind::kJoin) {
    auto thread = by_own_tid_.find(lock.owner);
    facts.words =
        thread == by_own_tid_.end()
            ? "the end of a thread"
            : fmt::format("the end of thread {} ({})", thread->second->record.tid, name_of(*thread->second));
    return facts;
  }
  facts.words = lock.kind_words + " " + data_.describe(lock.address);
  if (!lock.details.empty()) facts.words += " (" + lock.details + ")";
  return facts;
}

void LockTable::find_owner(const LockObject& lock, LockFacts& facts) {
  auto owner = by_own_tid_.find(lock.owner);
  if (!lock.owner) {
    facts.owner_state = OwnerState::kNone;
  } else if (owner != by_own_tid_.end() && !owner->second->record.exit_state) {
    facts.owner_state = OwnerState::kThread;
    facts.owner = owner->second->record.tid;
    facts.owner_words = fmt::format("{} ({})", name_of(*owner->second), facts.owner);
  } else {
    find_missing_owner(lock, facts);
  }
}

void LockTable::find_missing_owner(const LockObject& lock, LockFacts& facts) const {
  facts.owner = lock.owner;
  facts.owner_state = OwnerState::kGone;
  facts.owner_words = fmt::format("thread {}, which has ended", lock.owner);
  pid_t parent = std::atoi(status_field(pid_, "PPid:").c_str());
  if (std::optional<Tid> tid = thread_that_calls_itself(parent, lock.owner)) {
    facts.owner = *tid;
    facts.owner_state = OwnerState::kElsewhere;
    facts.owner_words = fmt::format(
        "thread {} of the parent process {}: it was locked when the process was forked", *tid, parent);
  } else if (facts.shared) {
    std::optional<OwnThread> other = thread_anywhere_beside(pid_, lock.owner);
    if (!other) return;
    facts.owner = other->tid;
    facts.owner_state = OwnerState::kElsewhere;
    facts.owner_words = fmt::format("thread {} of process {}, which shares it", other->tid, other->process);
  }
}

// A thread that came after the first look may have taken the lock since.
void LockTable::confirm_missing_owners(const RawLook& now) {
  for (std::size_t i = 0; i < facts_.size(); ++i) {
    LockFacts& facts = facts_[i];
    if (facts.owner_state != OwnerState::kGone) continue;
    LockObject again = read_lock(objects_[i].futex, objects_[i].family, threads_, read_);
    bool came_since = std::ranges::any_of(
        now.threads, [&](const SeenThread& thread) { return thread.record.own_tid == facts.owner; });
    if (again.owner == facts.owner && !came_since) continue;
    facts.owner_state = OwnerState::kNone;
    facts.owner = 0;
    facts.owner_words.clear();
  }
}

}  // namespace dwell
