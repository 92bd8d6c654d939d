# SPDX-License-Identifier: Apache-2.0
# gRPC, Protobuf and abseil as static archives. Debian's CMake packages of them name the shared
# ones; abseil's targets are pointed at the archives beside those.

get_property(absl_targets DIRECTORY ${CMAKE_SOURCE_DIR} PROPERTY IMPORTED_TARGETS)
foreach(target IN LISTS absl_targets)
  get_target_property(location ${target} IMPORTED_LOCATION_NONE)
  if(target MATCHES "^absl::" AND location MATCHES "\\.so")
    string(REGEX REPLACE "\\.so.*" ".a" archive ${location})
    if(NOT EXISTS ${archive})
      message(FATAL_ERROR "${archive} is missing; install libabsl-dev")
    endif()
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION_NONE ${archive})
  endif()
endforeach()

find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# ke_archive(NAME [libraries it needs…]): target ke_NAME for libNAME.a. The needs are declared one
# archive at a time because a linker reads archives once, in order.
function(ke_archive name)
  find_library(KE_LIB_${name} NAMES lib${name}.a REQUIRED)
  add_library(ke_${name} STATIC IMPORTED GLOBAL)
  set_target_properties(ke_${name} PROPERTIES IMPORTED_LOCATION ${KE_LIB_${name}})
  target_link_libraries(ke_${name} INTERFACE ${ARGN})
endfunction()

# The "unsecure" flavour: TLS means nothing on a unix socket, and OpenSSL would be half of the
# program.
ke_archive(protobuf-lite Threads::Threads)
ke_archive(upb)
ke_archive(cares)
ke_archive(address_sorting)
ke_archive(gpr absl::base absl::cord absl::memory absl::status absl::str_format absl::strings
           absl::synchronization absl::time absl::variant Threads::Threads)
ke_archive(grpc_unsecure ke_gpr ke_upb ke_cares ke_address_sorting ${KE_Z_LIB}
           absl::any_invocable absl::bind_front absl::cleanup absl::flat_hash_map
           absl::flat_hash_set absl::hash absl::inlined_vector absl::random_random absl::statusor)
ke_archive(grpc++_unsecure ke_grpc_unsecure ke_protobuf-lite)

add_library(ke_grpc INTERFACE)
# Without it gRPC's headers want the full Protobuf runtime.
target_compile_definitions(ke_grpc INTERFACE GRPC_USE_PROTO_LITE)
target_link_libraries(ke_grpc INTERFACE ke_grpc++_unsecure)
