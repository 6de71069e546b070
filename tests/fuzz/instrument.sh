#!/bin/bash
# A wrapper of rustc that instruments the crates of this program and no others.
rustc=$1
shift
case " $* " in
*" --crate-name prepress "* | *" --crate-name reader "*)
    # shellcheck disable=SC2086
    exec "$rustc" "$@" $FUZZ_FLAGS
    ;;
*) exec "$rustc" "$@" ;;
esac
