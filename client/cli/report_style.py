#!/usr/bin/python3
"""Makes the page's style part of the program: report_style.py FILE.css FILE.inc FILE.h

The .inc holds its bytes as numbers of a C array, with a NUL; the .h the hash by which the page's policy allows it, and
nothing else.  What stands between <style> and </style> must be these bytes exactly."""
import base64
import hashlib
import pathlib
import sys

source, bytes_path, hash_path = map(pathlib.Path, sys.argv[1:])
style = source.read_bytes()
if b"<" in style or b"\0" in style or b"url(" in style or b"@import" in style:
    sys.exit(f"{source}: a style may hold no markup and nothing from elsewhere")
lines = style.splitlines(keepends=True)
bytes_path.write_text("".join(" ".join(f"{byte}," for byte in line) + "\n" for line in lines) + "0\n", encoding="ascii")
digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
hash_path.write_text(f'#define REPORT_STYLE_HASH "sha256-{digest}"\n', encoding="ascii")
