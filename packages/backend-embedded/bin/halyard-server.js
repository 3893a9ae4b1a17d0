#!/usr/bin/env node
// Lies here and not in dist/, because package managers link programs before the first build.
import "../dist/bin/halyard-server.js";
