# SPDX-License-Identifier: Apache-2.0
find_program(BPF_CLANG NAMES clang-14 clang REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)
string(REGEX REPLACE "^(aarch64|arm64)$" "arm64" BPF_ARCH ${CMAKE_SYSTEM_PROCESSOR})
string(REGEX REPLACE "^x86_64$" "x86" BPF_ARCH ${BPF_ARCH})

# add_bpf_skeleton(NAME SOURCES a.bpf.c… [MCPU v3])
# INTERFACE target NAME: the header NAME.skel.h with the linked object of the sources in it.
# Editing a header rebuilds exactly the objects that include it.
function(add_bpf_skeleton target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "MCPU" "SOURCES")
  if(NOT ARG_MCPU)
    set(ARG_MCPU v2) # 5.10 refuses the atomics of v3
  endif()
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/${target})
  file(MAKE_DIRECTORY ${dir})
  foreach(src IN LISTS ARG_SOURCES)
    get_filename_component(stem ${src} NAME_WE)
    set(obj ${dir}/${stem}.bpf.o)
    add_custom_command(OUTPUT ${obj}
      COMMAND ${BPF_CLANG} -g -O2 -target bpf -mcpu=${ARG_MCPU} -D__TARGET_ARCH_${BPF_ARCH}
              -Wall -Wextra -Wno-unused-parameter -Wno-missing-declarations -Werror
              -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.
              -I${PROJECT_SOURCE_DIR} -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -MD -MF ${obj}.d -MT ${obj}
              -c ${CMAKE_CURRENT_SOURCE_DIR}/${src} -o ${obj}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${src} DEPFILE ${obj}.d
      COMMENT "BPF object ${target}/${stem}" VERBATIM)
    list(APPEND objects ${obj})
  endforeach()
  add_custom_command(OUTPUT ${dir}/${target}.o
    COMMAND ${BPFTOOL} gen object ${dir}/${target}.o ${objects}
    DEPENDS ${objects} VERBATIM)
  add_custom_command(OUTPUT ${dir}/${target}.skel.h
    COMMAND ${BPFTOOL} gen skeleton ${dir}/${target}.o name ${target} > ${dir}/${target}.skel.h
    DEPENDS ${dir}/${target}.o COMMENT "BPF skeleton ${target}" VERBATIM)
  add_custom_target(${target}_gen DEPENDS ${dir}/${target}.skel.h)
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_gen)
  target_include_directories(${target} SYSTEM INTERFACE ${dir})
endfunction()
