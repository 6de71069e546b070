#!/bin/bash
# run.sh READER [SECONDS] [OPTION…]: feeds one reader of bytes with what libFuzzer makes of its corpus, within a gigabyte of memory
# and ten seconds an input. What it finds lies in artifacts/READER. Stable Rust will do: the instrumentation is LLVM's.
#
#   run.sh                   lists the readers
#   run.sh sheet 300         five minutes
#   READER=sheet …/reader FILE    one input again
set -eu
cd "$(dirname "$0")"
# What the program depends on is built here as for its tests, and is there already when they have been built.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../../target}
target=$CARGO_TARGET_DIR
# Only the program itself is instrumented unless INSTRUMENT=all, which builds all dependencies anew.
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
if [ "${INSTRUMENT:-}" = all ]; then
    # With a target named, build scripts and macros are left alone.
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS="$flags" cargo build --target "$host"
    program=$target/$host/debug/reader
else
    FUZZ_FLAGS="$flags" RUSTC_WRAPPER="$PWD/instrument.sh" cargo build
    program=$target/debug/reader
fi
if [ $# = 0 ]; then
    ls corpus
    exit
fi
reader=$1 seconds=${2:-60}
shift $(($# > 1 ? 2 : 1))
mkdir -p "artifacts/$reader" "grown/$reader"
READER=$reader "$program" -artifact_prefix="artifacts/$reader/" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
    -max_len=65536 -print_final_stats=1 "$@" "grown/$reader" "corpus/$reader"
