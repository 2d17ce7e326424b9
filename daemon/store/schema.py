#!/usr/bin/python3
"""Writes an SQL file as the numbers of a C array, with a NUL: schema.py FILE.sql FILE.inc

A string literal will not do: C promises room for 4095 bytes only."""
import pathlib
import sys

source, target = map(pathlib.Path, sys.argv[1:])
lines = source.read_text(encoding="ascii").splitlines(keepends=True)
target.write_text("".join(" ".join(f"{byte}," for byte in line.encode()) + "\n" for line in lines) + "0\n", encoding="ascii")
