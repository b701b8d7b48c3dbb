# SPDX-License-Identifier: MIT OR Apache-2.0
"""Random programs of generators and coroutines, run by CPython itself.

LANGUAGE.md has the programs and the trace.  Every function of a program is
compiled to the text of a Python generator function (or `async def`) and
exec'd, so that every suspension, delegation and finalisation is CPython's own:
nothing in here re-implements what generators do.

  support.py    what compiled programs use: exceptions, arithmetic, awaitables
  compiler.py   program -> Python source
  runtime.py    runs a program, and traces it
  generator.py  seed -> programs
  classic.py    programs written by hand, and what their sources publish of them
  coverage.py   which behaviours a program shows; rows.py lists them
  minimize.py   makes a program smaller as long as it shows something
"""
