# SPDX-License-Identifier: Apache-2.0
# ke_flags: what every target of the project is compiled with; no global flags.
add_library(ke_flags INTERFACE)
target_include_directories(ke_flags INTERFACE ${PROJECT_SOURCE_DIR})
# g++ 12 takes a designated initialiser that leaves out a defaulted member for a mistake.
target_compile_options(ke_flags INTERFACE -Wall -Wextra -Wshadow -Wswitch
                       -Wno-missing-field-initializers)
if(KENTRY_WERROR)
  target_compile_options(ke_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(ke_flags INTERFACE -Wthread-safety)
endif()
if(KENTRY_SANITIZE)
  target_compile_options(ke_flags INTERFACE -fsanitize=${KENTRY_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(ke_flags INTERFACE -fsanitize=${KENTRY_SANITIZE})
endif()
if(KENTRY_FUZZ)
  target_compile_options(ke_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
