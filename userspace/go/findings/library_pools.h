// SPDX-License-Identifier: Apache-2.0
// Pools of connections of common libraries, recognized by the functions that their users wait in. Pure.
#pragma once

#include <span>
#include <string_view>

#include "userspace/go/runtime/frames.h"

namespace dwell {

struct LibraryPool {
  std::string_view what;         // "a connection of a pgx pool"
  std::string_view package;      // in the name of what waits: "jackc/puddle"; a program may keep its own copy of the library
  std::string_view method;       // and its end: ").Acquire"
  std::string_view libraries;    // what stands between that and the program: "github.com/jackc/"
  std::span<const std::string_view> takes, gives;  // calls of the program that take one for themselves, and give it back
  std::string_view give_words;   // "Conn.Release"
};

std::span<const LibraryPool> library_pools();

// The pool that these calls, innermost first, wait for; null if it is none of those known.
const LibraryPool* pool_waited_for(std::span<const GoCall> calls);
// The program's own call that wants one; null if there is none.
const GoCall* user_of_pool(std::span<const GoCall> calls, const LibraryPool& pool);

// The functions by which it is looked up who takes.
std::span<const std::string_view> pool_functions();

}  // namespace dwell
