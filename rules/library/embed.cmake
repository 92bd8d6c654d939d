# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT: FILES as byte arrays and the function that hands them out.
set(text "// SPDX-License-Identifier: Apache-2.0\n#include \"rules/library/builtin.h\"\n\n")
string(APPEND text "namespace kentry {\nnamespace {\n\n")
set(entries "")
set(number 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND text "constexpr unsigned char kFile${number}[] = {${bytes}0};\n")
  string(APPEND entries "  files.push_back(\n      {\"library/${name}\", "
         "std::string(reinterpret_cast<const char*>(kFile${number}), sizeof(kFile${number}) - 1)});\n")
  math(EXPR number "${number} + 1")
endforeach()
string(APPEND text "\n}  // namespace\n\nstd::vector<SourceFile> BuiltinRules() {\n"
       "  std::vector<SourceFile> files;\n${entries}  return files;\n}\n\n}  // namespace kentry\n")
file(WRITE ${OUTPUT} "${text}")
