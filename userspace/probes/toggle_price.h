// SPDX-License-Identifier: Apache-2.0
// What placing a probe and taking it away costs the process. Each writes one instruction into a page of code, and behind that the
// kernel has every CPU that runs the process forget the page (uprobe_write_opcode() of kernel/events/uprobes.c, ptep_clear_flush()):
// an interrupt, of some microseconds, and of some tens where a hypervisor delivers it. The process pays for those; what we wait
// for meanwhile is our own time.
#pragma once

#include <cstddef>
#include <optional>

namespace dwell {

// What one such interrupt takes from a thread that runs, ns: two threads of our own, one of which counts while the other changes a
// page. Takes some 20 ms of both, and 100 on a busy machine. None: the second thread found no CPU of its own.
std::optional<double> measure_flush_ns();

// Measured when it is first asked for; where that is in vain three times, what is typical without a hypervisor. Call it where
// no probe of a window is in place.
double flush_ns();

// Placing probes at so many instructions and taking them away once, ns of CPU time of a process that keeps so many CPUs busy.
double toggle_ns(std::size_t places, double busy_cpus, double flush);

}  // namespace dwell
