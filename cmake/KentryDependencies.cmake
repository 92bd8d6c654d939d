# SPDX-License-Identifier: Apache-2.0
# All of Debian 12, linked statically: the product needs libc and the loader only.
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
# fmt: see sensor/util/fmt.cc.
set_target_properties(spdlog::spdlog_header_only PROPERTIES
                      INTERFACE_LINK_LIBRARIES "ke_fmt;Threads::Threads")
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)

# libbpf ships no CMake package; its archive needs libelf and zlib behind it.
find_library(KE_BPF_LIB NAMES libbpf.a REQUIRED)
find_library(KE_ELF_LIB NAMES libelf.a REQUIRED)
find_library(KE_Z_LIB NAMES libz.a REQUIRED)
add_library(ke_libbpf INTERFACE)
target_link_libraries(ke_libbpf INTERFACE ${KE_BPF_LIB} ${KE_ELF_LIB} ${KE_Z_LIB})

# yaml-cpp's own package knows the shared library only. libmd: SHA-256.
find_library(KE_YAML_LIB NAMES libyaml-cpp.a REQUIRED)
add_library(ke_yaml INTERFACE)
target_link_libraries(ke_yaml INTERFACE ${KE_YAML_LIB})
find_library(KE_MD_LIB NAMES libmd.a REQUIRED)
add_library(ke_md INTERFACE)
target_link_libraries(ke_md INTERFACE ${KE_MD_LIB})
