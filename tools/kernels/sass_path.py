#!/usr/bin/env python3
"""Instructions that a thread executes on its way through a kernel: the shortest way through the machine code that
executes given instructions so often.

    nvcc -std=c++20 -O3 -I. -arch=sm_90 -cubin -o kernel.cubin kernels/detection/classification_loss.cu
    cuobjdump -sass kernel.cubin | tools/kernels/sass_path.py --through STG.E.128=4 --per 32 classification_loss_kernel

--through names what the way must execute, by the beginning of the opcode, and how often at least: it picks the branches.
A loop is gone through as often as it takes. --per divides the count, by the elements of a thread.
"""

import argparse
import heapq
import re
import subprocess
import sys
from collections import Counter, namedtuple

Instruction = namedtuple("Instruction", "conditional opcode target")

FUNCTION = re.compile(r"^\s*Function : (\S+)")
LINE = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+\s+)?([A-Z][\w.]*)\s*([^;]*);")
TARGET = re.compile(r"(0x[0-9a-f]+)\s*$")


def read_kernels(lines):
    """{mangled name: {address: Instruction}} of what cuobjdump -sass prints."""
    kernels, code = {}, None
    for line in lines:
        if function := FUNCTION.match(line):
            code = kernels.setdefault(function.group(1), {})
        elif (match := LINE.match(line)) and code is not None:
            address, predicate, opcode, operands = match.groups()
            target = TARGET.search(operands)
            # A branch may have its condition in front, or among its operands: @P0 BRA 0x10, BRA.U UP0, 0x10.
            conditional = bool(predicate or re.search(r"\b(U?P\d|UR\d+)\b", operands))
            code[int(address, 16)] = Instruction(conditional, opcode, int(target.group(1), 16) if target else None)
    return kernels


def successors(code, address, step):
    """Where execution goes on after an instruction; None is the end of the kernel."""
    instruction, following = code[address], address + step
    kind = instruction.opcode.split(".")[0]
    if kind == "EXIT":
        return [None, following] if instruction.conditional else [None]
    if kind in ("CALL", "RET", "BRX", "JMX"):
        return [following] if instruction.conditional else []  # slow paths of divisions and the like: not followed
    if kind in ("BRA", "JMP"):
        return [instruction.target, following] if instruction.conditional else [instruction.target]
    return [following]


def shortest_path(code, through):
    """Addresses of the shortest way from the first instruction to the end that executes each opcode of `through` so
    often; None where there is none."""
    addresses = sorted(code)
    step = addresses[1] - addresses[0]
    wanted = list(through.items())

    def counted(counts, opcode):
        return tuple(min(n + opcode.startswith(prefix), most) for n, (prefix, most) in zip(counts, wanted))

    start = (addresses[0], counted((0,) * len(wanted), code[addresses[0]].opcode))
    came_from, length, queue = {start: None}, {start: 1}, [(1, start)]
    while queue:
        steps, state = heapq.heappop(queue)
        if steps > length[state]:
            continue
        address, counts = state
        for following in successors(code, address, step):
            if following is None:
                if all(n == most for n, (_, most) in zip(counts, wanted)):
                    path = []
                    while state:
                        path.append(state[0])
                        state = came_from[state]
                    return path[::-1]
            elif following in code:
                after = (following, counted(counts, code[following].opcode))
                if steps + 1 < length.get(after, sys.maxsize):
                    length[after], came_from[after] = steps + 1, state
                    heapq.heappush(queue, (steps + 1, after))
    return None


def demangled(names):
    try:
        result = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return names
    return result.stdout.splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernel", help="part of the demangled names")
    parser.add_argument("--through", action="append", default=[], metavar="OPCODE=N")
    parser.add_argument("--per", type=float, default=1, metavar="N")
    parser.add_argument("--opcodes", action="store_true", help="how often each opcode is executed, per N")
    args = parser.parse_args()
    try:
        through = {opcode: int(n) for opcode, n in (option.split("=") for option in args.through)}
    except ValueError:
        parser.error("--through takes OPCODE=N, such as STG.E.128=4")

    kernels = read_kernels(sys.stdin)
    found = [(name, kernels[mangled]) for mangled, name in zip(kernels, demangled(list(kernels))) if args.kernel in name]
    if not found:
        parser.error(f"no kernel's name has '{args.kernel}' in it: {len(kernels)} kernels on the standard input")
    for name, code in found:
        path = shortest_path(code, through)
        print(f"{len(path) / args.per:.2f}" if path else "no such way", name, sep="\t")
        if path and args.opcodes:
            counts = Counter(code[address].opcode.split(".")[0] for address in path)
            print("\t" + ", ".join(f"{opcode} {n / args.per:.2f}" for opcode, n in counts.most_common()))


if __name__ == "__main__":
    main()
