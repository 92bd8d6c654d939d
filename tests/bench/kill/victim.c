/* SPDX-License-Identifier: Apache-2.0 */
/* victim [FILE]: opens FILE; ends well, unless somebody kills it. */
#include <fcntl.h>

int main(int argc, char** argv) {
  if (argc > 1) open(argv[1], O_RDONLY);
  return 0;
}
