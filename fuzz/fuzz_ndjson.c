/*
 * Native JSON meets any bytes: lines, arrays, objects over several lines.
 */
#include "ingest_fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_format(PB_FORMAT_NDJSON, data, size);
}
