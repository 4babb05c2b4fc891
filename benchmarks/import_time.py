"""What `import eigengrad` adds to importing NumPy and scipy.linalg: fresh processes, alternating, medians.

python benchmarks/import_time.py [rounds]
"""

import statistics
import subprocess
import sys
import time

BASE = "import numpy, scipy.linalg"
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 15


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    seconds(BASE + ", eigengrad")  # compile and fill the cache
    pairs = [(seconds(BASE), seconds(BASE + ", eigengrad")) for _ in range(ROUNDS)]
    added = sorted(b - a for a, b in pairs)
    print(f"base {statistics.median(a for a, _ in pairs):.3f} s, added {statistics.median(added):.3f} s", end=" ")
    print(f"({added[0]:.3f} to {added[-1]:.3f} s over {ROUNDS} pairs)")
