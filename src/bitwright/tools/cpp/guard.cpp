// SPDX-License-Identifier: Apache-2.0
// Linked in place of fopen: a model reads memory files of its own folder, by their bare names, and no others.
// Verilator's runtime opens the files of $readmemh with fopen; the name may have been computed.
#include <cerrno>
#include <cstdio>
#include <cstring>

extern "C" {

FILE* __real_fopen(const char* path, const char* mode);

FILE* __wrap_fopen(const char* path, const char* mode) {
    if (std::strchr(path, '/') != nullptr || mode[0] != 'r') {
        errno = EACCES;
        return nullptr;
    }
    return __real_fopen(path, mode);
}

}  // extern "C"
