// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/session.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "ui/escape.h"
#include "ui/text_style.h"
#include "userspace/base/clock.h"
#include "userspace/base/output_file.h"
#include "userspace/base/time_units.h"
#include "userspace/process/process.h"

namespace dwell::top {
namespace {

constexpr std::uint64_t kMessageNs = 5 * kSecond;
constexpr std::size_t kPlainRows = 5;

std::shared_ptr<const Model> model_before_figures(const TopRequest& request) {
  auto model = std::make_shared<Model>();
  pid_t pid = request.pids[0];
  Result<ProcessFacts> facts = read_process(pid);
  model->process = facts ? fmt::format("{} ({})", printable(facts->name), pid) : fmt::format("process {}", pid);
  if (request.pids.size() > 1) model->process = fmt::format("{} processes", request.pids.size());
  if (!request.group.empty()) model->process += " of " + printable(request.group);
  model->state = "attaching ...";
  return model;
}

}  // namespace

Session::Session(const TopRequest& request, RecorderProcess& recorder, Follower& follower, Looks& looks, UniqueFd signals)
    : request_(request), recorder_(recorder), follower_(follower), looks_(looks), signals_(std::move(signals)),
      waiting_(model_before_figures(request)) {}

const Model& Session::model() const { return shown_ ? *shown_ : *waiting_; }

std::vector<pid_t> Session::running() const {
  std::vector<pid_t> pids;
  for (const ProcessRow& row : model().processes) pids.push_back(row.pid);
  if (process_ && !std::ranges::count(pids, *process_)) pids.push_back(*process_);
  return pids.size() > 1 ? pids : std::vector<pid_t>();
}

void Session::choose() {
  std::vector<pid_t> pids = running();
  std::optional<pid_t> chosen;
  if (state_.process && state_.process <= pids.size()) chosen = pids[state_.process - 1];
  if (chosen == process_) return;
  process_ = chosen;
  follower_.show(process_);
  state_.selected.reset(), state_.stack_open = false, state_.position = 0;
}

// Of all of them together, the first that runs.
pid_t Session::looked_at() const {
  if (process_) return *process_;
  return model().processes.empty() ? request_.pids[0] : model().processes[0].pid;
}

void Session::say(const std::string& message) {
  message_ = message;
  message_until_ns_ = monotonic_ns() + kMessageNs;
}

bool Session::signalled() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGWINCH) resized_ = true;
    else over_ = true;
  }
  return over_;
}

bool Session::wait(int keys, std::uint64_t until_ns) {
  std::uint64_t now_ns = monotonic_ns();
  std::uint64_t left_ns = until_ns - std::min(now_ns, until_ns);
  pollfd fds[] = {{signals_.get(), POLLIN, 0}, {follower_.fd(), POLLIN, 0}, {looks_.fd(), POLLIN, 0}, {keys, POLLIN, 0}};
  constexpr std::uint64_t kRoundUp = kMillisecond - 1;
  (void)::poll(fds, std::size(fds), static_cast<int>((left_ns + kRoundUp) / kMillisecond));
  if (fds[0].revents && signalled()) return false;
  if (fds[1].revents) take_figures();
  if (fds[2].revents & POLLIN) (void)looks_.take();
  keys_ready_ = fds[3].revents & POLLIN;
  if (fds[3].revents && !keys_ready_) over_ = true;  // the terminal is gone
  check_recorder();
  return !over_;
}

void Session::take_figures() {
  follower_.taken();
  take_saved();
  std::shared_ptr<const Model> fresh = follower_.model();
  if (!fresh || fresh == shown_ || state_.paused) return;
  shown_ = std::move(fresh);
  ++refreshes_;
}

void Session::take_saved() {
  std::optional<Result<std::string>> saved = follower_.take_saved();
  if (!saved) return;
  say(*saved ? fmt::format("Saved {}; dwell report {} shows it.", printable(**saved), printable(**saved)) : printable(saved->error().what));
}

void Session::check_recorder() {
  std::optional<int> code = recorder_.ended();
  if (!code || shown_ || follower_.model()) return;
  if (*code != 0 || std::ranges::all_of(request_.pids, process_has_ended)) failed_ = *code, over_ = true;
}

Result<void> Session::in_lines() {
  TextStyle style = text_style_of(STDOUT_FILENO);
  std::uint64_t due_ns = 0;
  std::shared_ptr<const Model> printed;
  std::size_t times = 0;
  while (wait(-1, monotonic_ns() + kSecond / 4)) {
    if (monotonic_ns() < due_ns) continue;
    std::shared_ptr<const Model> now = follower_.model();
    bool is_new = now && !(printed && now->elapsed_ns == printed->elapsed_ns && now->state == printed->state);
    if (!is_new && recorder_.ended()) return {};
    if (!is_new) continue;
    std::string text = (printed ? "\n" : "") + plain_text(*now, style.columns, kPlainRows);
    if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return {};  // nobody reads any more
    printed = now;
    if (request_.count && ++times >= *request_.count) return {};
    due_ns = monotonic_ns() + request_.interval_ns;
  }
  return {};
}

Result<void> Session::on_terminal() {
  Result<std::unique_ptr<Terminal>> terminal = Terminal::open();
  if (!terminal) return terminal.error();
  draw(**terminal);
  while (wait(STDIN_FILENO, monotonic_ns() + kSecond)) {
    if (std::exchange(resized_, false)) (*terminal)->resized();
    if (keys_ready_) handle_keys(**terminal);
    look_if_due(**terminal);
    draw(**terminal);
    if (over_ || (request_.count && refreshes_ >= *request_.count)) break;
  }
  return {};
}

void Session::handle_keys(Terminal& terminal) {
  while (std::optional<KeyPress> key = terminal.key()) {
    std::vector<pid_t> pids = running();
    auto at = process_ ? std::ranges::find(pids, *process_) : pids.end();
    state_.process = at == pids.end() ? 0 : static_cast<std::size_t>(at - pids.begin()) + 1;
    Shown shown{&model(), tabs_of(model()), pids.size() + 1, page_};
    bool paused = state_.paused;
    act(press(state_, *key, shown));
    choose();
    if (paused && !state_.paused) take_figures();
  }
}

void Session::act(Action action) {
  bool recording = shown_ != nullptr && !recorder_.ended();
  switch (action) {
    case Action::kQuit: over_ = true; break;
    case Action::kRefresh: looks_.forget(), follower_.hurry(); break;
    case Action::kMark:
      if (!recording) return say("A mark can be set only while the recording goes on.");
      recorder_.mark();
      say("Marked: \"since mark\" counts from here.");
      break;
    case Action::kWrite: {
      if (!shown_) return say("There is nothing to save yet.");
      pid_t pid = looked_at();
      std::string name = model().process.substr(0, model().process.rfind(" ("));
      say("Saving ...");
      follower_.save(unused_name(fmt::format("{}.{}", safe_name(name, "recording"), pid), ".dwell"));
      break;
    }
    case Action::kNone: break;
  }
}

void Session::look_if_due(const Terminal& terminal) {
  if (state_.tab == Tab::kMemory || state_.paused) return;
  pid_t pid = looked_at();
  if (monotonic_ns() >= looks_.due_ns(pid, state_.tab)) looks_.ask(pid, state_.tab, terminal.columns());
}

void Session::draw(Terminal& terminal) {
  std::uint64_t now_ns = monotonic_ns();
  if (now_ns >= message_until_ns_) message_.clear();
  std::optional<int> ended = recorder_.ended();
  if (ended && *ended != 0 && model().state.empty() && message_.empty()) message_ = fmt::format("The recording has ended (exit code {}): figures are as they were last.", *ended);
  const LookPage* page = state_.tab == Tab::kMemory ? nullptr : looks_.page(looked_at(), state_.tab, now_ns);
  std::vector<pid_t> pids = running();
  std::string of;
  for (const ProcessRow& row : model().processes)
    if (!pids.empty() && row.pid == looked_at()) of = row.name;
  Screen screen = lay_out({model(), state_, page, message_, pids.size() + 1, of}, terminal.columns(), terminal.rows());
  page_ = screen.page;
  state_.scroll = std::min(state_.scroll, screen.last_scroll);
  terminal.draw(screen);
}

}  // namespace dwell::top
