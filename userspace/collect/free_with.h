// SPDX-License-Identifier: Apache-2.0
// std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>: what a C library hands out, freed as it asks.
#pragma once

namespace dwell {

template <auto destroy>
struct FreeWith {
  template <typename T>
  void operator()(T* thing) const {
    destroy(thing);
  }
};

}  // namespace dwell
