"""The measurements behind BENCHMARKS.md: `python -m benchmarks NAME [--quick] [--json FILE]`.

What a table says of a piece is measured by means of its own (ffmpeg's meters, a blind tempo estimate), never by the
code that the pipeline checks itself with.
"""
