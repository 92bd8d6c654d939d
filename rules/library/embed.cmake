# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT: FILES and HARDENING as byte arrays and the functions that hand them out.
set(arrays "")
set(functions "")
set(number 0)
# A function of that name, whose files are called PREFIX/NAME.
macro(embed function prefix)
  string(APPEND functions "\nstd::vector<SourceFile> ${function}() {\n"
         "  std::vector<SourceFile> files;\n")
  foreach(file ${ARGN})
    get_filename_component(name ${file} NAME)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "constexpr unsigned char kFile${number}[] = {${bytes}0};\n")
    string(APPEND functions "  files.push_back(\n      {\"${prefix}/${name}\", "
           "std::string(reinterpret_cast<const char*>(kFile${number}), sizeof(kFile${number}) - 1)});\n")
    math(EXPR number "${number} + 1")
  endforeach()
  string(APPEND functions "  return files;\n}\n")
endmacro()
embed(BuiltinRules library ${FILES})
embed(HardeningRules library/hardening ${HARDENING})
file(WRITE ${OUTPUT}
     "// SPDX-License-Identifier: Apache-2.0\n#include \"rules/library/builtin.h\"\n\n"
     "namespace kentry {\nnamespace {\n\n${arrays}\n}  // namespace\n${functions}\n"
     "}  // namespace kentry\n")
