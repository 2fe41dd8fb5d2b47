// SPDX-License-Identifier: Apache-2.0
// What a probe costs on this machine now, and which kinds of attachment work: measured in a few
// milliseconds on functions of our own, so that the target is never the one to try them out on.
#pragma once

#include <optional>

#include "userspace/base/result.h"
#include "userspace/probes/attach.h"
#include "userspace/probes/planner.h"

namespace dwell {

struct Calibration {
  ProbeAbilities abilities;
  TrapPrices prices;
  std::optional<Error> failure;  // of the last method that was tried in vain

  // With cause, hint and exit code; if abilities.best is none.
  Error why_no_probes() const;
  TrapAbilities traps() const { return {abilities.nop5_is_a_call, abilities.long_nops_emulated}; }
};

// `only` tries no other method: to test the fallbacks, and for `--attach-method`.
Result<Calibration> calibrate(std::optional<AttachMethod> only = {});

// A function of our own that nobody calls once calibrate() has returned: a probe there does nothing to anyone.
Result<ProbeSite> idle_site();

// Probes a forked child of ours under a filter that denies what it does not know, as container runtimes'
// filters do. Takes some milliseconds; ask only if the target has a filter.
SeccompAnswer try_seccomp(AttachMethod method);

}  // namespace dwell
