// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/pid_namespace.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "own_namespace.skel.h"
#include "userspace/base/privileges.h"
#include "userspace/process/surroundings.h"

namespace dwell {
namespace {

struct ProgramDeleter {
  void operator()(own_namespace* object) const { own_namespace__destroy(object); }
};

Result<PidNamespace> ask_kernel() {
  constexpr const char* kDoing = "find out which PID namespace dwell runs in";
  std::unique_ptr<own_namespace, ProgramDeleter> object(own_namespace__open());
  if (!object) return system_error(kDoing, errno);
  if (int error = own_namespace__load(object.get()))
    return system_error(kDoing, -error, privilege_hint({Capability::kBpf, Capability::kPerfmon}));
  LIBBPF_OPTS(bpf_test_run_opts, once);
  if (int error = bpf_prog_test_run_opts(bpf_program__fd(object->progs.find_own_namespace), &once))
    return system_error(kDoing, -error);
  return PidNamespace{object->bss->level, object->bss->inode};
}

Result<PidNamespace> find_own_namespace() {
  if (in_initial_pid_namespace()) return PidNamespace{};
  return ask_kernel();
}

bpf_map* constants_of(bpf_object* object) {
  bpf_map* map;
  bpf_object__for_each_map(map,
                           object) if (std::string_view(bpf_map__name(map)).ends_with(".rodata")) return map;
  return nullptr;
}

// False: the object has no constant of that name.
bool set_constant(const btf* types, std::string& constants, const char* name, std::uint32_t value) {
  std::int32_t section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section < 0) return false;
  const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(section));
  const btf_var_secinfo* variable = btf_var_secinfos(type);
  for (std::uint32_t left = btf_vlen(type); left > 0; --left, ++variable) {
    const btf_type* declared = btf__type_by_id(types, variable->type);
    if (std::strcmp(btf__name_by_offset(types, declared->name_off), name) != 0) continue;
    if (variable->offset + sizeof value > constants.size()) return false;
    std::memcpy(constants.data() + variable->offset, &value, sizeof value);
    return true;
  }
  return false;
}

}  // namespace

Result<PidNamespace> own_pid_namespace() {
  static const Result<PidNamespace> kOwn = find_own_namespace();
  return kOwn;
}

Result<void> tell_pid_namespace(bpf_object* object) {
  Result<PidNamespace> own = own_pid_namespace();
  if (!own) return own.error();
  std::size_t size = 0;
  bpf_map* map = constants_of(object);
  const auto* bytes = map ? static_cast<const char*>(bpf_map__initial_value(map, &size)) : nullptr;
  std::string constants(bytes ? bytes : "", size);
  const btf* types = bpf_object__btf(object);
  if (types && set_constant(types, constants, "own_pid_level", own->level) &&
      set_constant(types, constants, "own_pid_inode", own->inode) &&
      bpf_map__set_initial_value(map, constants.data(), constants.size()) == 0)
    return {};
  return Error{
      fmt::format("tell BPF programs of {} their PID namespace: they take none", bpf_object__name(object)),
      "", Exit::kFailed};
}

}  // namespace dwell
