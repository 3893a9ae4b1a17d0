import { brotli, deflate, gzip } from "@halyard/core";
import { describeCompressor } from "../src/compressor-suite.ts";

describeCompressor("gzip", { create: () => gzip(), hasChecksum: true });
describeCompressor("deflate", { create: () => deflate(), hasChecksum: true });
describeCompressor("brotli", { create: () => brotli(), hasChecksum: false });
