// SPDX-License-Identifier: Apache-2.0
// Recorder: a recording in progress. Owns the tracers, the file, and the processes that it follows.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/unique_fd.h"
#include "userspace/collect/decoder.h"
#include "userspace/collect/launch.h"
#include "userspace/collect/mmap_watch.h"
#include "userspace/collect/stack_table.h"
#include "userspace/collect/trace_core.h"
#include "userspace/process/process.h"
#include "userspace/record/child_account.h"
#include "userspace/record/guardrail.h"
#include "userspace/record/loss_account.h"
#include "userspace/record/modules.h"
#include "userspace/record/overhead_shares.h"
#include "userspace/record/program_change.h"
#include "userspace/record/record.h"
#include "userspace/record/signals.h"
#include "userspace/record/stack_completer.h"
#include "userspace/record/target_slots.h"
#include "userspace/record/targets.h"
#include "userspace/record/tracer.h"
#include "userspace/recording/schedule.h"
#include "userspace/recording/writer.h"
#include "userspace/unwind/unwind_tables.h"

namespace dwell {

class Recorder {
 public:
  // Loads the BPF programs, with room for the unwind tables of the targets, and creates the recording.
  static Result<std::unique_ptr<Recorder>> open(const RecordOptions& options, const RecordCallbacks& callbacks,
                                                const Targets& targets, const Calibration& calibration);
  ~Recorder();

  // Begins to follow processes: their code, their unwind tables, their allocators. Fails where none of them can be followed.
  Result<void> attach(const Targets& targets);
  // The same for a program that is held at its start; on return it runs.
  Result<void> attach(LaunchedProgram& program, const ProcessFacts& facts);

  // After a failed attach(): takes the file away again. The error, or that the target is gone if it is.
  Error abandon(const Error& cause);

  // Until the time is over, the target has ended, or a signal says stop. What ended it stands in
  // end_reason().
  Result<void> watch(StopSignals& signals);
  const std::string& end_reason() const { return end_.reason; }
  bool partial() const { return partial_; }    // something that should have been seen was not
  bool gave_way() const { return gave_way_; }  // it ended by itself, to spare the target

  // Detaches, and completes the file. `path()` is a whole recording then.
  Result<void> finish();
  const std::string& path() const { return path_; }
  std::string first_process() const;  // "redis-server (1234)"
  std::size_t process_count() const { return processes_.size(); }

 private:
  struct Process;
  struct Spent {  // since the recording began
    std::uint64_t cost_ns = 0, target_cpu_ns = 0;
  };

  Recorder(const RecordOptions& options, const RecordCallbacks& callbacks, const Calibration& calibration,
           std::string path, TraceCore core, UnwindTables unwind, MmapWatch mmap_watch,
           RecordingWriter writer, const RecordingInfo& info);
  Result<void> load_tracers(const Targets& targets);

  Result<Process*> add_process(const ProcessFacts& facts, std::int32_t parent);
  Result<void> attach_one(const ProcessFacts& facts);
  void attach_some(const std::vector<ProcessFacts>& all, std::optional<Error>& first_error);
  Result<void> require_probes_of(const std::vector<ProcessFacts>& all);
  void take_newcomers();     // of a group, that came into it meanwhile
  Process* running(pid_t pid);  // null: it is not followed
  void miss(pid_t pid, const std::string& why);
  void note_children(const ProcessFacts& facts);
  Result<void> sync(Process& process);  // to what the process has mapped now
  void sync_again(Process& process);    // the same of one that may have ended meanwhile, which is no news
  void expect_waits(TargetSlot slot, const std::vector<Mapping>& mappings);
  void load_whole_tables(Process& process, const std::vector<Mapping>& mappings);
  Result<void> require_probes(const ProcessFacts& facts);
  bool follows_forks() const { return options_.follow_forks || options_.group; }
  Result<void> begin();  // the clock of the recording
  void tell_attaching();

  Result<void> watch_events(StopSignals& signals);
  void handle(const ProcessNews& news);
  void handle(const MappingNews& news);
  void take_mapping_news();
  void learn(const NewMapping& mapping);
  void on_exec(Process& process, ProgramChange::Messenger by, std::uint64_t time_ns);
  void note_gap(Process& process, bool at_the_end = false);
  void write_late(std::uint64_t late_ns);
  void look_again();  // at the mappings of the processes that have news, as far as the budget goes
  // Perf uprobes have lost the thread to which they were tied, and the process goes on.
  Result<void> tie_again(Process& process);
  void spare_target(std::uint64_t now_ns, const Spent& spent);
  void refresh_mappings(ProcessSlot slot, dwell_stack_end end, std::uint64_t pc);
  void handle_unowned(const ProcessNews& news);
  void follow(std::int32_t parent, const ProcessNews& news);  // parent: its slot, -1: not recorded
  void forget_last();
  void release_notes(std::size_t from);  // those that were held back since
  void ended(Process& process, std::uint64_t time_ns);
  bool all_ended() const;

  Result<void> tick(std::uint64_t now_ns);
  Result<void> mark(std::uint64_t now_ns);
  Result<void> write_live(std::uint64_t now_ns);
  Result<void> write_losses(std::uint64_t now_ns);
  Result<void> write_children(std::uint64_t now_ns);
  Result<void> write_cost(std::uint64_t now_ns);
  TracerCost measure_cost();  // and tells each part what it has cost
  std::uint64_t measure_target_cpu();  // ns since the recording of each process began
  Spent measure_spent();
  void count_run_time(std::uint64_t now_ns);
  void tell_progress(std::uint64_t now_ns, const Spent& spent);
  void guard_memory(std::uint64_t now_ns);
  void note(const std::string& text);
  void note_once(const std::string& text);
  void note_unseen(Unseen unseen);
  Result<void> write_symbols();
  Result<void> write_symbols_if_memory_allows();
  Result<void> write_live_if_memory_allows();

  const RecordOptions& options_;
  const RecordCallbacks& callbacks_;
  Calibration calibration_;
  std::string path_;
  RecordingInfo info_;
  std::uint64_t start_ns_;
  TraceCore core_;
  UnwindTables unwind_;
  MmapWatch mmap_watch_;
  MappingNews mapping_news_;  // taken, and not handled yet
  std::uint64_t mapping_news_ns_ = 0;  // when that was
  RecordingWriter writer_;
  ModuleTable modules_;
  StackTable stacks_;
  StackCompleter completer_;
  Decoder decoder_;
  TickSchedule schedule_;
  std::uint16_t next_probe_ = 1;
  std::uint64_t refused_probes_ = 0;
  OverheadShares overhead_;
  std::vector<std::unique_ptr<Tracer>> tracers_;
  std::vector<std::shared_ptr<OverheadShares::Part>> parts_;  // of each tracer
  std::vector<std::unique_ptr<Process>> processes_;  // by ProcessSlot
  TargetSlots slots_;
  LossAccount losses_;
  std::uint64_t lost_mapping_news_ = 0, lost_map_lines_ = 0;
  ChildAccount children_;
  ChildCounts told_children_;
  std::vector<Note> notes_;
  std::vector<Unseen> unseen_;  // not written yet
  bool partial_ = false;
  std::set<std::string> said_, said_of_children_;
  bool holds_notes_ = false;  // of a child that may turn out to have ended
  std::uint64_t run_time_until_ns_ = 0, run_time_slice_ns_ = 0;
  std::size_t notes_told_ = 0;
  std::uint64_t memory_seen_ns_ = 0;
  bool short_of_memory_ = false;
  std::optional<std::string> old_path_;  // where the file went that stood at path_
  bool watching_ = false;
  bool run_time_window_ = false;
  std::uint64_t told_events_ = 0, told_ns_ = 0;
  LaunchedProgram* launched_ = nullptr;  // in slot 0
  std::uint64_t newcomers_due_ns_ = 0;
  std::size_t newcomers_ = 0;
  std::set<pid_t> refused_;  // of a group: they could not be followed
  Guardrail guardrail_;
  bool gave_way_ = false;
  RecordingEnd end_;
};

}  // namespace dwell
