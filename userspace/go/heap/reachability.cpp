// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/reachability.h"

#include <algorithm>

#include "userspace/go/goroutines/reader.h"
#include "userspace/go/heap/marker.h"
#include "userspace/go/runtime/processors.h"
#include "userspace/go/waits/lock_kinds.h"
#include "userspace/go/waits/semaphores.h"

namespace dwell {
namespace {

constexpr std::size_t kMostDeferred = 100'000;
constexpr std::size_t kMostSpecials = 1 << 22;  // of all objects together

// Who may be left over: it waits inside the program for what only other goroutines can do.
enum class Wait { kOther, kChannel, kSemaphore, kForEver, kCondition };

Wait kind_of_wait(const GoRuntime& runtime, const Goroutine& goroutine) {
  if (!waits(goroutine)) return Wait::kOther;
  const std::string& reason = runtime.wait_reason(goroutine.wait_reason);
  auto begins = [&](std::string_view text) { return reason.rfind(text, 0) == 0; };
  if (begins("select (no cases)") || reason.find("(nil chan)") != std::string::npos) return Wait::kForEver;
  if (begins("chan receive") || begins("chan send") || begins("select")) return Wait::kChannel;
  constexpr int kFirstWithConditions = 26;  // before, only the goroutine's frame tells which one it is
  if (begins("sync.Cond"))
    return runtime.layout().minor >= kFirstWithConditions ? Wait::kSemaphore : Wait::kCondition;
  if (begins("sync.") || begins("semacquire")) return Wait::kSemaphore;
  return Wait::kOther;
}

}  // namespace

// Marked, and not to be looked into: the runtime's lists of all goroutines and of those that wait lead
// everywhere.
void Marker::hide(std::uint64_t address) {
  std::optional<GoObject> object = heap_.object_at(address);
  if (!object) return;
  marked_[object->number] = true;
  hidden_.push_back(object->number);
}

void Marker::mark(std::uint64_t address) {
  std::optional<GoObject> object = heap_.object_at(address);
  if (!object) return;
  // Before the mark counts: a block of small things has several addresses, and each leads to its own.
  if (watched_[object->number]) reach_watchers(object->number, address);
  if (marked_[object->number]) return;
  marked_[object->number] = true;
  reached_bytes_ += heap_.spans()[object->span].element_size;
  open_.push_back(*object);
}

// A block of 16 bytes without pointers is one object or, as the allocator puts small things together, several. What points to the
// lock leads to it, and so may what points in front of it: the block can be one struct. But nothing that points behind the lock's
// end does.
void Marker::reach_watchers(std::uint64_t object, std::uint64_t address) {
  constexpr std::uint64_t kSemaphore = 4;  // bytes
  for (std::size_t index : watchers_[object]) {
    Candidate& candidate = candidates_[index];
    if (candidate.semaphore && address >= candidate.semaphore + kSemaphore) continue;
    bool doubtful = in_doubt_ || (candidate.semaphore && address < candidate.lock);
    if (candidate.reached && (doubtful || !candidate.doubtful)) continue;
    candidate.reached = true;
    candidate.doubtful = doubtful;
    (doubtful ? doubtful_ : reached_).push_back(index);
  }
}

void Marker::mark_words(std::string_view bytes) {
  std::uint64_t before = 0;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = field_of<std::uint64_t>(bytes, at);
    mark(word, before);
    before = word;
  }
}

void Marker::mark_memory(std::uint64_t address, std::uint64_t size) {
  if (size > kMostGlobals) return;
  std::string bytes(size, '\0');
  bytes.resize(runtime_.memory().read_some(address, bytes.data(), size));
  mark_words(bytes);
}

void Marker::drain() {
  while (!open_.empty() || !reached_.empty() || !doubtful_.empty()) {
    if (open_.empty()) {
      // At last those that may be reached. Their own stacks lead to what they wait for, too.
      in_doubt_ = in_doubt_ || reached_.empty();
      std::vector<std::size_t>& from = reached_.empty() ? doubtful_ : reached_;
      std::size_t candidate = from.back();
      from.pop_back();
      mark_goroutine(candidates_[candidate].goroutine);
      continue;
    }
    GoObject object = open_.back();
    open_.pop_back();
    look_into(object);
  }
  in_doubt_ = false;
}

void Marker::look_into(const GoObject& object) {
  heap_.visit_pointers(object, [this](std::uint64_t word, std::uint64_t before) { mark(word, before); });
}

bool Marker::watch(std::size_t candidate, std::uint64_t address) {
  constexpr std::uint64_t kMixed = 0x9e3779b97f4a7c15;
  candidates_[candidate].waits_at = (candidates_[candidate].waits_at ^ address) * kMixed;
  std::optional<GoObject> object = heap_.object_at(address);
  if (!object) return false;
  watched_[object->number] = true;
  watchers_[object->number].push_back(candidate);
  return true;
}

bool Marker::watch_channels(std::size_t candidate, const Goroutine& goroutine) {
  std::uint64_t sudog = goroutine.waiting;
  if (!sudog) return false;
  for (std::size_t i = 0; sudog && i < kMostCases; ++i) {
    char bytes[104] = {};
    if (!runtime_.memory().read(sudog, bytes, sizeof bytes)) return false;
    std::string_view view(bytes, sizeof bytes);
    if (field_of<std::uint64_t>(view, 0) != goroutine.address) return false;
    if (!watch(candidate, field_of<std::uint64_t>(view, runtime_.layout().sudog_channel))) return false;
    hide(sudog);
    sudog = field_of<std::uint64_t>(view, runtime_.layout().sudog_next_case);
  }
  return sudog == 0;
}

bool Marker::watch_semaphore(std::size_t candidate, const Goroutine& goroutine) {
  std::uint64_t address = 0;
  if (goroutine.waiting) {
    address = runtime_.memory()
                  .load<std::uint64_t>(goroutine.waiting + runtime_.layout().sudog_element)
                  .value_or(0);
    hide(goroutine.waiting);
  } else if (auto found = semaphores_.find(goroutine.address); found != semaphores_.end()) {
    address = found->second;
  }
  if (!address || !watch(candidate, address)) return false;
  std::optional<GoObject> object = heap_.object_at(address);
  if (!object || !heap_.spans()[object->span].tiny) return true;
  std::vector<GoCall> calls = runtime_.frames().calls(goroutine.pcs);
  const LockKind* kind = lock_kind(calls);
  if (!kind) return true;
  candidates_[candidate].semaphore = address;
  candidates_[candidate].lock = address - kind->semaphore;
  return true;
}

// Who ran while the heap was copied may wait for what is in no copy.
bool Marker::stood_still(const Goroutine& goroutine) const {
  auto found = before_.find(goroutine.address);
  return found != before_.end() && !has_run_between(found->second, stillness_of(goroutine));
}

void Marker::sort_out(const Goroutine& goroutine) {
  goroutine_addresses_.push_back(goroutine.address);
  if (goroutine.stack_state == GoStackState::kRunning) result_.ran.insert(goroutine.id);
  bool judged = goroutine.stack_state == GoStackState::kWhole;
  Wait wait = judged ? kind_of_wait(runtime_, goroutine) : Wait::kOther;
  // A program's first goroutine often waits for nothing, on purpose: the program lives as long as it does. At the end it
  // waits for others, and for that it has a lock or a wait group.
  if (goroutine.id == 1 && wait != Wait::kSemaphore) wait = Wait::kOther;
  if (wait == Wait::kCondition) {
    std::uint64_t condition = conditions_.of(goroutine);
    if (condition)
      condition_of_[goroutine.address] = condition;
    else
      ++result_.not_judged.conditions;
    if (!condition) wait = Wait::kOther;
  }
  bool can_be_left = wait != Wait::kOther;
  if (can_be_left && goroutine.id != 1) ++result_.candidates;
  if (!can_be_left || !stood_still(goroutine)) return live_.push_back(goroutine);
  candidates_.push_back({goroutine, wait == Wait::kSemaphore, false, 0, false});
}

bool Marker::others_lead_to(std::size_t candidate) {
  std::vector<bool> marked = marked_;
  std::vector<Candidate> candidates = candidates_;
  std::uint64_t reached_bytes = reached_bytes_;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (i != candidate && !candidates[i].reached) mark_goroutine(candidates[i].goroutine);
  drain();
  bool reached = candidates_[candidate].reached;
  marked_ = std::move(marked);
  candidates_ = std::move(candidates);
  reached_bytes_ = reached_bytes;
  return reached;
}

void Marker::settle_first() {
  auto is_first = [](const Candidate& candidate) { return candidate.goroutine.id == 1 && !candidate.reached; };
  auto first = std::ranges::find_if(candidates_, is_first);
  if (first == candidates_.end()) return;
  std::size_t index = static_cast<std::size_t>(first - candidates_.begin());
  if (others_lead_to(index)) return;
  candidates_[index].reached = true;
  reached_.push_back(index);
  drain();
}

Result<void> Marker::read_goroutines() {
  Result<LookFigures> figures = dwell::read_goroutines(runtime_, [this](const Goroutine& g) { sort_out(g); });
  if (!figures) return figures.error();
  SemaphoreWaiters waiters = read_semaphore_waiters(runtime_);
  semaphores_ = std::move(waiters.semaphore_of);
  for (std::uint64_t sudog : waiters.sudogs) hide(sudog);
  for (std::uint64_t address : goroutine_addresses_) hide(address);
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const Goroutine& goroutine = candidates_[i].goroutine;
    Wait wait = kind_of_wait(runtime_, goroutine);
    bool told = wait == Wait::kForEver ||
                (wait == Wait::kChannel     ? watch_channels(i, goroutine)
                 : wait == Wait::kCondition ? watch(i, condition_of_[goroutine.address])
                                            : watch_semaphore(i, goroutine));
    if (!told && !std::exchange(candidates_[i].reached, true)) reached_.push_back(i);
  }
  return {};
}

void Marker::mark_globals() {
  visit_globals([this](std::uint64_t, std::string_view words, std::uint64_t before) { mark(field_of<std::uint64_t>(words, 0), before); });
}

void Marker::hide_processors() {
  processors_ = find_processors(runtime_);
  for (std::uint64_t processor : processors_) {
    hide(processor);
    hide(timer_list_of(runtime_, processor).address);
  }
}

void Marker::mark_timers() {
  for (std::uint64_t processor : processors_) {
    for (std::uint64_t timer : timers_of(runtime_, processor)) mark(timer);
  }
}

void Marker::note_file(const GoObject& object, std::uint64_t address, std::uint64_t finalizer) {
  constexpr std::uint64_t kDescriptor = 16;  // in os.file, of all versions: behind the lock of its poll.FD
  constexpr std::int64_t kFirstOfTheProgram = 3;
  auto [known, fresh] = closes_files_.try_emplace(finalizer);
  if (fresh) known->second = runtime_.frames().function_at(runtime_.memory().load<std::uint64_t>(finalizer).value_or(0)) == "os.(*file).close";
  std::string_view words = heap_.contents(object);
  if (!known->second || words.size() < kDescriptor + 8) return;
  std::int64_t descriptor = field_of<std::int64_t>(words, kDescriptor);
  if (descriptor < kFirstOfTheProgram) return;
  result_.files.emplace(address, descriptor);
  files_.insert(object.number);
}

// A finalizer or a cleanup is a function that will run, and what it may use.
void Marker::mark_specials(const GoSpan& span) {
  constexpr int kFirstWide = 24, kFirstRenumbered = 25;
  int minor = runtime_.layout().minor;
  std::size_t header = minor >= kFirstWide ? 24 : 16;
  std::uint64_t special = span.specials;
  for (; special && specials_ < kMostSpecials; ++specials_) {
    char bytes[64] = {};
    if (!runtime_.memory().read(special, bytes, header + 16)) return;
    std::string_view view(bytes, sizeof bytes);
    std::uint8_t kind = field_of<std::uint8_t>(view, minor >= kFirstWide ? 16 : 10);
    std::uint64_t offset =
        minor >= kFirstWide ? field_of<std::uint64_t>(view, 8) : field_of<std::uint16_t>(view, 8);
    std::uint8_t finalizer = minor >= kFirstRenumbered ? 2 : 1, cleanup = minor >= kFirstRenumbered ? 7 : 6;
    if (kind == finalizer || (kind == cleanup && minor >= kFirstWide)) {
      mark(field_of<std::uint64_t>(view, header));
      std::optional<GoObject> object = heap_.object_at(span.start + offset);
      if (object && kind == finalizer) look_into(*object);
      if (object && kind == finalizer) note_file(*object, span.start + offset, field_of<std::uint64_t>(view, header));
    }
    special = field_of<std::uint64_t>(view, 0);
  }
}

// Functions that a goroutine, whose words these are, will still call.
std::vector<std::uint64_t> Marker::mark_deferred(std::string_view goroutine) {
  std::vector<std::uint64_t> functions;
  constexpr std::uint64_t kDeferred = 40, kPanic = 32, kPanicSize = 96;
  constexpr int kFirstShort = 22;
  std::uint64_t link = runtime_.layout().minor >= kFirstShort ? 32 : 40;
  std::uint64_t record = field_of<std::uint64_t>(goroutine, kDeferred);
  for (std::size_t i = 0; record && i < kMostDeferred; ++i) {
    mark(record);
    functions.push_back(runtime_.memory().load<std::uint64_t>(record + 24).value_or(0));
    mark(functions.back());
    record = runtime_.memory().load<std::uint64_t>(record + link).value_or(0);
  }
  if (std::uint64_t panic = field_of<std::uint64_t>(goroutine, kPanic)) mark_memory(panic, kPanicSize);
  return functions;
}

void Marker::mark_goroutine(const Goroutine& goroutine) {
  // Not by its words: where its stack ends, something else begins.
  std::optional<GoObject> own = heap_.object_at(goroutine.address);
  std::string words;  // of one that is in no copy, as it is new
  if (own) look_into(*own);
  if (!own) words = runtime_.memory().text(goroutine.address, runtime_.layout().g_size, kMostGlobals);
  mark_words(words);
  std::vector<std::uint64_t> deferred = mark_deferred(own ? heap_.contents(*own) : std::string_view(words));
  roots_.visit(goroutine, deferred, [this](std::uint64_t word, std::uint64_t before) { mark(word, before); });
}

// Before anything else is marked: of a lock that a global variable leads to, nobody can tell who would unlock it.
void Marker::count_led_to_by_globals() {
  while (!open_.empty()) {
    GoObject object = open_.back();
    open_.pop_back();
    look_into(object);
  }
  for (const Candidate& candidate : candidates_) {
    if (!candidate.for_lock || !candidate.waits_at || candidate.goroutine.id == 1) continue;
    if (candidate.reached && !candidate.doubtful) ++result_.not_judged.global_locks;
  }
}

Result<Unreached> Marker::run() {
  if (Result<void> read = read_goroutines(); !read) return read.error();
  hide_processors();
  mark_globals();
  count_led_to_by_globals();
  mark_timers();
  for (const GoSpan& span : heap_.spans()) {
    if (span.specials) mark_specials(span);
  }
  for (const Goroutine& goroutine : live_) mark_goroutine(goroutine);
  drain();
  settle_first();
  for (const Candidate& candidate : candidates_) {
    if (!candidate.reached) result_.goroutines[candidate.goroutine.id] = {stillness_of(candidate.goroutine), candidate.waits_at};
    if (candidate.doubtful && candidate.semaphore && candidate.goroutine.id != 1) ++result_.not_judged.shared_locks;
  }
  result_.copied_bytes = heap_.copied_bytes();
  result_.reached_bytes = reached_bytes_;
  if (what_is_unheld_) find_unheld();
  if (what_is_unheld_) find_holders();
  return std::move(result_);
}

Result<Unreached> mark_reachable(const GoRuntime& runtime, std::uint64_t copy_limit, bool what_is_unheld) {
  Marker::Before before;
  Result<void> read = read_goroutine_states(runtime, [&](const Goroutine& goroutine) {
    if (waits(goroutine)) before[goroutine.address] = stillness_of(goroutine);
  });
  if (!read) return read.error();
  Result<GoHeap> heap = GoHeap::copy(runtime, copy_limit);
  if (!heap) return heap.error();
  return Marker(runtime, std::move(*heap), std::move(before), what_is_unheld).run();
}

}  // namespace dwell
