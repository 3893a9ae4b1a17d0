import * as zlib from "node:zlib";
import { brotli, deflate, gzip, zstd } from "@halyard/core";
import { describeCompressor } from "../src/compressor-suite.ts";

describeCompressor("gzip", { create: () => gzip(), hasChecksum: true });
describeCompressor("deflate", { create: () => deflate(), hasChecksum: true });
describeCompressor("brotli", { create: () => brotli(), hasChecksum: false });
// Node 20 does not have it.
if ("zstdCompressSync" in zlib) describeCompressor("zstd", { create: () => zstd(), hasChecksum: true });
