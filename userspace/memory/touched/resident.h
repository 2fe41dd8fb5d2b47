// SPDX-License-Identifier: Apache-2.0
// Which pages that call sites have touched are still in memory: the table of page faults joined with the pagemap. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/touched/kinds.h"
#include "userspace/memory/touched/pagemap.h"
#include "userspace/memory/touched/sites.h"
#include "userspace/memory/touched/touched_pages.h"

namespace dwell::memory {

// `before`: what was in memory when the recording began; null: not known. A page that no fault was seen of, as the kernel brought
// it along with another one (huge pages, files), counts where its neighbour was touched.
TouchedMemory touched_and_resident(const TouchedPages& touched, const OwnedMemory& owned, const Pagemap& pagemap,
                                   const PresentPages* before);

}  // namespace dwell::memory
