// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace dwell {
namespace {

constexpr int kLives = 7;

// How a process ends that does this with signals: the signal's number, or kLives.
int end_of(const std::function<void(StopSignals&)>& what) {
  pid_t child = ::fork();
  if (child == 0) {
    {
      Result<StopSignals> signals = StopSignals::install_handlers();
      if (signals) what(*signals);
    }
    ::_exit(kLives);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(StopSignals, WhileItWatchesASignalIsAWish) {
  EXPECT_EQ(end_of([](StopSignals& signals) {
              ::raise(SIGINT);
              if (!signals.arrived() || signals.arrived()) ::_exit(1);
              ::raise(SIGTERM);
            }),
            SIGTERM) << "the destructor lets through what was not taken";
}

TEST(StopSignals, TheSecondOneEndsUs) {
  auto asked = [](StopSignals& signals) {
    ::raise(SIGINT);
    (void)signals.arrived();
    signals.end_at_second();
  };
  EXPECT_EQ(end_of(asked), kLives);
  EXPECT_EQ(end_of([&](StopSignals& signals) { asked(signals), ::raise(SIGINT); }), SIGINT);
  EXPECT_EQ(end_of([&](StopSignals& signals) { asked(signals), ::raise(SIGTERM); }), SIGTERM);
}

// The recording has ended by itself: the first Ctrl-C meets one that is being finished.
TEST(StopSignals, TheFirstOneEndsNothingThatIsBeingFinished) {
  EXPECT_EQ(end_of([](StopSignals& signals) { signals.end_at_second(), ::raise(SIGINT); }), kLives);
  EXPECT_EQ(end_of([](StopSignals& signals) { signals.end_at_second(), ::raise(SIGTERM); }), kLives);
  EXPECT_EQ(end_of([](StopSignals& signals) { signals.end_at_second(), ::raise(SIGTERM), ::raise(SIGINT); }), SIGINT);
}

// `dwell mark` sends SIGUSR1.
TEST(StopSignals, AMarkIsNoWishToStop) {
  EXPECT_EQ(end_of([](StopSignals& signals) {
              ::raise(SIGUSR1);
              if (signals.arrived() || !signals.take_mark() || signals.take_mark()) ::_exit(1);
              ::raise(SIGUSR1), ::raise(SIGINT);
              if (!signals.arrived() || !signals.take_mark()) ::_exit(2);
            }),
            kLives);
}

TEST(StopSignals, AMarkThatComesTooEarlyOrTooLateDoesNoHarm) {
  EXPECT_EQ(end_of([](StopSignals& signals) {
              StopSignals::ignore_marks();
              ::raise(SIGUSR1);
              signals.end_at_second();
              ::raise(SIGUSR1);
            }),
            kLives);
}

TEST(StopSignals, OneThatCameUnnoticedIsTheFirst) {
  EXPECT_EQ(end_of([](StopSignals& signals) { ::raise(SIGINT), signals.end_at_second(); }), kLives);
  EXPECT_EQ(end_of([](StopSignals& signals) { ::raise(SIGINT), signals.end_at_second(), ::raise(SIGINT); }), SIGINT);
}

// As a shell without job control starts its background jobs.
TEST(StopSignals, OneThatWasIgnoredIsHeardBeforeAnythingIsRecorded) {
  EXPECT_EQ(end_of([](StopSignals& signals) {
              StopSignals moved = std::move(signals);
              ::signal(SIGINT, SIG_IGN);
              StopSignals::restore_defaults();
              ::raise(SIGINT);
            }),
            SIGINT);
}

}  // namespace
}  // namespace dwell
