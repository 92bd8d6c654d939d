# SPDX-License-Identifier: Apache-2.0
find_program(BPF_CLANG NAMES clang-14 clang REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)
string(REGEX REPLACE "^(aarch64|arm64)$" "arm64" BPF_ARCH ${CMAKE_SYSTEM_PROCESSOR})
string(REGEX REPLACE "^x86_64$" "x86" BPF_ARCH ${BPF_ARCH})

# add_bpf_skeleton(NAME SOURCES a.bpf.c… [MCPU v3] [EDITION _x DEFINES …])
# INTERFACE target NAME: the header NAME.skel.h with the linked object of the sources in it. Of an
# edition the target is NAME_x, the header's name stays.
# Editing a header rebuilds exactly the objects that include it.
function(add_bpf_skeleton name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "MCPU;EDITION" "SOURCES;DEFINES")
  set(target ${name}${ARG_EDITION})
  list(TRANSFORM ARG_DEFINES PREPEND -D)
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
              ${ARG_DEFINES} -Wall -Wextra -Wno-unused-parameter -Wno-missing-declarations -Werror
              -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.
              -I${PROJECT_SOURCE_DIR} -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -MD -MF ${obj}.d -MT ${obj}
              -c ${CMAKE_CURRENT_SOURCE_DIR}/${src} -o ${obj}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${src} DEPFILE ${obj}.d
      COMMENT "BPF object ${target}/${stem}" VERBATIM)
    list(APPEND objects ${obj})
  endforeach()
  add_custom_command(OUTPUT ${dir}/${name}.o
    COMMAND ${BPFTOOL} gen object ${dir}/${name}.o ${objects}
    DEPENDS ${objects} VERBATIM)
  add_custom_command(OUTPUT ${dir}/${name}.skel.h
    COMMAND ${BPFTOOL} gen skeleton ${dir}/${name}.o name ${name} > ${dir}/${name}.skel.h
    DEPENDS ${dir}/${name}.o COMMENT "BPF skeleton ${target}" VERBATIM)
  add_custom_target(${target}_gen DEPENDS ${dir}/${name}.skel.h)
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_gen)
  target_include_directories(${target} SYSTEM INTERFACE ${dir})
endfunction()
