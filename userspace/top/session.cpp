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

std::shared_ptr<const Model> model_before_figures(pid_t pid) {
  auto model = std::make_shared<Model>();
  Result<ProcessFacts> facts = read_process(pid);
  model->process = facts ? fmt::format("{} ({})", printable(facts->name), pid) : fmt::format("process {}", pid);
  model->state = "attaching ...";
  return model;
}

}  // namespace

Session::Session(const TopRequest& request, Recorders& recorders, Follower& follower, Looks& looks, UniqueFd signals)
    : request_(request), recorders_(recorders), follower_(follower), looks_(looks), signals_(std::move(signals)),
      waiting_(model_before_figures(request.pids[0])) {}

const Model& Session::model() const { return shown_ ? *shown_ : *waiting_; }

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
  std::shared_ptr<const Model> fresh = follower_.model(state_.process);
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
  std::optional<int> code = recorders_.ended(state_.process);
  if (!code || follower_.model(state_.process)) return;
  if (*code != 0 || process_has_ended(request_.pids[state_.process])) failed_ = *code, over_ = true;
}

Result<void> Session::in_lines() {
  TextStyle style = text_style_of(STDOUT_FILENO);
  std::uint64_t due_ns = 0;
  std::vector<std::shared_ptr<const Model>> printed(request_.pids.size());
  bool first = true;
  std::size_t times = 0;
  while (wait(-1, monotonic_ns() + kSecond / 4)) {
    if (monotonic_ns() < due_ns) continue;
    bool any = false, all_ended = true;
    for (std::size_t i = 0; i < request_.pids.size(); ++i) {
      state_.process = i;
      std::shared_ptr<const Model> now = follower_.model(i);
      follower_.show((i + 1) % request_.pids.size());
      all_ended = all_ended && recorders_.ended(i).has_value();
      if (!now || (printed[i] && now->elapsed_ns == printed[i]->elapsed_ns && now->state == printed[i]->state)) continue;
      std::string text = (first ? "" : "\n") + plain_text(*now, style.columns, kPlainRows);
      first = false;
      if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return {};  // nobody reads any more
      printed[i] = now;
      any = true;
    }
    if (any && request_.count && ++times >= *request_.count) return {};
    if (!any && all_ended) return {};
    if (any) due_ns = monotonic_ns() + request_.interval_ns;
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
    Shown shown{&model(), tabs_of(model()), request_.pids.size(), page_};
    std::size_t process = state_.process;
    bool paused = state_.paused;
    act(press(state_, *key, shown));
    if (state_.process != process) {
      follower_.show(state_.process);
      shown_ = follower_.model(state_.process);
      waiting_ = model_before_figures(request_.pids[state_.process]);
      state_.selected.reset(), state_.stack_open = false, state_.position = 0;
    }
    if (paused && !state_.paused) take_figures();
  }
}

void Session::act(Action action) {
  bool recording = follower_.model(state_.process) != nullptr && !recorders_.ended(state_.process);
  switch (action) {
    case Action::kQuit: over_ = true; break;
    case Action::kRefresh: looks_.forget(), follower_.hurry(); break;
    case Action::kMark:
      if (!recording) return say("A mark can be set only while the recording goes on.");
      recorders_.mark(state_.process);
      say("Marked: \"since mark\" counts from here.");
      break;
    case Action::kWrite: {
      if (!follower_.model(state_.process)) return say("There is nothing to save yet.");
      pid_t pid = request_.pids[state_.process];
      std::string name = model().process.substr(0, model().process.rfind(" ("));
      say("Saving ...");
      follower_.save(state_.process, unused_name(fmt::format("{}.{}", safe_name(name, "recording"), pid), ".dwell"));
      break;
    }
    case Action::kNone: break;
  }
}

void Session::look_if_due(const Terminal& terminal) {
  if (state_.tab == Tab::kMemory || state_.paused) return;
  pid_t pid = request_.pids[state_.process];
  if (monotonic_ns() >= looks_.due_ns(pid, state_.tab)) looks_.ask(pid, state_.tab, terminal.columns());
}

void Session::draw(Terminal& terminal) {
  std::uint64_t now_ns = monotonic_ns();
  if (now_ns >= message_until_ns_) message_.clear();
  std::optional<int> ended = recorders_.ended(state_.process);
  if (ended && *ended != 0 && model().state.empty() && message_.empty()) message_ = fmt::format("The recording has ended (exit code {}): figures are as they were last.", *ended);
  const LookPage* page = state_.tab == Tab::kMemory ? nullptr : looks_.page(request_.pids[state_.process], state_.tab, now_ns);
  Screen screen = lay_out({model(), state_, page, message_, request_.pids.size()}, terminal.columns(), terminal.rows());
  page_ = screen.page;
  state_.scroll = std::min(state_.scroll, screen.last_scroll);
  terminal.draw(screen);
}

}  // namespace dwell::top
