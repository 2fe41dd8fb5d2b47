// SPDX-License-Identifier: Apache-2.0
// A recording as a fuzzer can change it: chunks without checksums, so that a changed byte reaches the decoders.
//
// {type: index into the types that there are, 1 byte} {length: 2 bytes, little-endian} {content}, repeated.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace dwell {

// A file with right checksums and sequence numbers. It begins with an INFO chunk, whatever the script says.
std::string file_from_script(std::span<const std::byte> script);

// The other way round; chunks that are too long are left out.
std::string script_from_file(std::span<const std::byte> file);

}  // namespace dwell
