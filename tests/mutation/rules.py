"""Single-line mutants of C++ and CUDA: by rule, and from a list.

A mutant is a line of a file, found by its content, and what it becomes. Rules change one place of a line as a slip of
the hand might: they are about lines in the project's format (tools/format.sh), in which binary operators stand between
blanks, and leave comments, strings, directives and declarations of templates alone.
"""

import dataclasses
import hashlib
import re

OPERATORS = {
    " < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ", " != ": " == ",
    " + ": " - ", " - ": " + ", " * ": " / ", " / ": " * ", " % ": " / ", " += ": " -= ", " -= ": " += ",
    " *= ": " /= ", " && ": " || ", " || ": " && ", " << ": " >> ", " >> ": " << ",
}
KINDS = {" < ": "comparison", " <= ": "comparison", " > ": "comparison", " >= ": "comparison", " == ": "comparison",
         " != ": "comparison", " && ": "logic", " || ": "logic"}
STATEMENT = re.compile(r"(?!return|break|continue|using|throw|case|default|delete|fail|DIOPTER_CHECK)"
                       r"[A-Za-z_][\w.:\[\]]*(->[\w.\[\]]+)*(\(.*\)| [-+*/|&]?= .*);")
SHIFTS_ARE_TEXT = re.compile(r"\b(csv|out|stream|text|os) <<")


@dataclasses.dataclass(frozen=True)
class Mutant:
    file: str      # within the repository
    line: int      # number in the file as it was read, from 1
    old: str       # the line without blanks at its ends
    new: str
    rule: str
    reason: str = ""  # why no test can notice, of equivalent ones

    @property
    def key(self):
        """The same wherever the line has moved to; lines that a file holds twice are told apart by their number."""
        return f"{self.file}: {self.old} -> {self.new}"

    def __str__(self):
        return f"{self.file}:{self.line}: {self.old}  ->  {self.new}"


def masked(line):
    """The line with the insides of strings, characters and comments replaced by a letter that no rule looks for."""
    result, quote, i = list(line), "", 0
    while i < len(line):
        if quote:
            if line[i] == "\\" and i + 1 < len(line):
                result[i] = result[i + 1] = "_"
                i += 1
            elif line[i] == quote:
                quote = ""
            else:
                result[i] = "_"
        elif line[i] in "\"'" and not (line[i] == "'" and i > 0 and line[i - 1].isalnum()):
            quote = line[i]
        elif line.startswith("//", i):
            result[i:] = "_" * (len(line) - i)
            break
        i += 1
    return "".join(result)


def closing(text, opening):
    """Position of the bracket that closes the one at `opening`; -1 where it is on another line."""
    depth = 0
    for i in range(opening, len(text)):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if depth == 0:
            return i
    return -1


def arguments(text, opening):
    """Begins and ends of the arguments between brackets, and where the closing one is; none where it is not there."""
    end = closing(text, opening)
    if end < 0:
        return [], -1
    cuts, depth = [opening], 0
    for i in range(opening + 1, end):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if text[i] == "," and depth == 0:
            cuts.append(i)
    cuts.append(end)
    return [(a + 1, b) for a, b in zip(cuts, cuts[1:])], end


def changed_number(number):
    """Another number, of the same type; None for those that are no plain decimal."""
    match = re.fullmatch(r"(\d+)(\.\d*)?(e[-+]?\d+)?(f?)", number)
    if not match:
        return None
    if match[2] is None and match[3] is None and not match[4]:
        return str(int(number) + 1)
    value = float(number.rstrip("f"))
    text = repr(1.0 if value == 0 else 1.5 * value)
    return text + ("f" if match[4] else "")


def changes(line):
    """(rule, new line) for every place of a line that a rule changes."""
    mask = masked(line)
    code = mask.strip()
    skipped = ("#", "//", "template", "static_assert", "using ", "namespace", "case ", "extern ", "friend ", "struct ",
               "class ", "enum ", "///", "[[", "__launch_bounds__", "}", "asm")
    if not code or code.startswith(skipped) and not code.startswith("} else if"):
        return
    if line.startswith("template") or " = default" in mask or " = delete" in mask:
        return
    for old, new in OPERATORS.items():
        for match in re.finditer(re.escape(old), mask):
            if old == " * " and re.search(r"(const|auto|\bT|float|double|int) \*? ?$", mask[:match.start() + 1]):
                continue
            if "\"" in (mask[match.start() - 1:match.start()], mask[match.end():match.end() + 1]):
                continue  # of text
            if old in (" << ", " >> ") and (SHIFTS_ARE_TEXT.search(mask) or code.startswith("<<")):
                continue
            yield KINDS.get(old, "arithmetic"), line[:match.start()] + new + line[match.end():]
    for match in re.finditer(r"(?<![\w.'])(\d+(\.\d*)?(e[-+]?\d+)?f?)(?![\w.'])", mask):
        if re.search(r"(?:<|unsigned |int)$", mask[:match.start()]) or re.match(r">", mask[match.end():]):
            continue  # of a template
        number = changed_number(match[1])
        if number:
            yield "constant", line[:match.start()] + number + line[match.end():]
    for match in re.finditer(r"\b(true|false)\b", mask):
        yield "boolean", line[:match.start()] + {"true": "false", "false": "true"}[match[1]] + line[match.end():]
    for match in re.finditer(r"!(?=[\w(])", mask):
        yield "negation", line[:match.start()] + line[match.end():]
    for match in re.finditer(r"\b(std::)?(min|max|clamp)(<[\w:]+>)?\(", mask):
        places, end = arguments(mask, match.end() - 1)
        if len(places) < 2:
            continue
        for begin, stop in places[:1] if match[2] == "clamp" else places:
            yield "limit", line[:match.start()] + "(" + line[begin:stop].strip() + ")" + line[end + 1:]
    for match in re.finditer(r"\bif (constexpr )?\(", mask):
        places, end = arguments(mask, match.end() - 1)
        if places and not match[1] and ";" not in mask[match.end():end]:
            for constant in ("true", "false"):
                yield "condition", line[:match.end()] + constant + line[end:]
    match = re.search(r"DIOPTER_CHECK\(", mask)
    if match:
        begin, depth = match.end(), 0
        for i in range(begin, len(mask)):
            depth += mask[i] in "([{"
            depth -= mask[i] in ")]}"
            if mask[i] == "," and depth == 0:
                yield "check", line[:begin] + "true" + line[i:]
                break
    match = re.search(r"\.size\(\)", mask)
    if match:
        yield "off by one", line[:match.end()] + " - 1" + line[match.end():]
    if STATEMENT.fullmatch(code) and all(code.count(a) == code.count(b) for a, b in ("()", "[]", "{}")):
        indent = line[:len(line) - len(line.lstrip())]
        yield "statement", indent + ";"


def mutants_of(file, text):
    """Mutants of a whole file by rule, in order; each only once."""
    seen, comment, lines = set(), False, text.split("\n")
    for number, line in enumerate(lines, 1):
        if line.strip().startswith("/*"):
            comment = True
        if comment:
            comment = "*/" not in line
            continue
        for rule, new in changes(line):
            mutant = Mutant(file, number, line.strip(), new.strip() if new.strip() != ";" else "", rule)
            if lines.count(line) == 1 and mutant.key not in seen:
                seen.add(mutant.key)
                yield mutant


def parse_list(text, name):
    """Mutants of a list: blocks of "FILE", "- line", "+ line" and, of equivalent ones, "= reason", between empty lines.
    Lines that begin with # are remarks."""
    mutants = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.split("\n") if line.strip() and not line.startswith("#")]
        if not lines:
            continue
        parts = {line[0]: line[1:].strip() for line in lines[1:]}
        if "-" not in parts or "+" not in parts or not set(parts) <= set("-+="):
            raise ValueError(f"{name}: {lines[0]}: not of the form FILE, - old line, + new line, = reason")
        mutants.append(Mutant(lines[0].strip(), 0, parts["-"], parts["+"], "list", parts.get("=", "")))
    return mutants


def placed(mutant, text):
    """The mutant with the number of its line in the file's text; 0 where it is not there."""
    numbers = [i for i, line in enumerate(text.split("\n"), 1) if line.strip() == mutant.old]
    return dataclasses.replace(mutant, line=numbers[0] if numbers else 0)


def applied(mutant, text):
    """The file's text with the mutant's line changed. Raises ValueError where the line is not there exactly once."""
    lines = text.split("\n")
    places = [i for i, line in enumerate(lines) if line.strip() == mutant.old]
    if len(places) != 1:
        raise ValueError(f"the line is there {len(places)} times: {mutant.old}")
    line = lines[places[0]]
    lines[places[0]] = line[:len(line) - len(line.lstrip())] + mutant.new
    return "\n".join(lines)


def sample(mutants, count, seed):
    """`count` of them, the same for the same seed whatever order they come in; more mutants in a file do not change
    which of another file's come first."""
    def place(mutant):
        return hashlib.sha256(f"{seed} {mutant.key}".encode()).digest()
    return sorted(mutants, key=place)[:count]
