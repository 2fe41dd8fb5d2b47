// SPDX-License-Identifier: Apache-2.0
// What kind of memory an address belongs to.
#pragma once

#include <cstdint>

#include "userspace/memory/account/account.h"
#include "userspace/memory/touched/sites.h"

namespace dwell::memory {

// Of an address in `use`, of which an anonymous page is one that no file has.
TouchedKind kind_of(const OwnedMemory& owned, const MappingUse& use, std::uint64_t address, bool anonymous);

}  // namespace dwell::memory
