/*
 * The binary form meets any bytes.
 */
#include "ingest_fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_format(PB_FORMAT_PBR, data, size);
}
