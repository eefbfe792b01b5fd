"""What rules.py makes of lines; mutation_test.cpp runs it."""

import unittest

import rules


def made(line):
    return {(rule, new.strip()) for rule, new in rules.changes(line)}


class Rules(unittest.TestCase):
    def test_operators(self):
        self.assertEqual(made("  return a < b && c;"), {("comparison", "return a <= b && c;"),
                                                        ("logic", "return a < b || c;")})
        self.assertEqual(made("  x += y * z;"), {("arithmetic", "x -= y * z;"), ("arithmetic", "x += y / z;"),
                                                 ("statement", ";")})

    def test_constants(self):
        self.assertEqual(made("  return 7;"), {("constant", "return 8;")})
        self.assertEqual(made("  return 0.5f;"), {("constant", "return 0.75f;")})
        self.assertEqual(made("  return 0.0;"), {("constant", "return 1.0;")})
        self.assertEqual(made("  return true;"), {("boolean", "return false;")})
        self.assertEqual(made("  return Box<4>{kRoom2};"), set())

    def test_limits(self):
        self.assertEqual(made("  return std::max(f(a, b), c);"), {("limit", "return (f(a, b));"),
                                                                  ("limit", "return (c);")})
        self.assertEqual(made("  return std::clamp(x, lo, hi);"), {("limit", "return (x);")})
        self.assertIn(("off by one", "return x[values.size() - 1];"), made("  return x[values.size()];"))

    def test_conditions(self):
        self.assertEqual(made("  if (ready) return;"), {("condition", "if (true) return;"),
                                                        ("condition", "if (false) return;")})
        self.assertEqual(made("  if (!ready) break;"), {("condition", "if (true) break;"),
                                                        ("condition", "if (false) break;"),
                                                        ("negation", "if (ready) break;")})
        self.assertEqual(made('  DIOPTER_CHECK(fits(a, b), file, ": no");'),
                         {("check", 'DIOPTER_CHECK(true, file, ": no");')})

    def test_statements(self):
        self.assertEqual(made("  sort(a, b);"), {("statement", ";")})
        self.assertEqual(made("    other(b));"), set())  # the end of one

    def test_what_is_no_code(self):
        for line in ["// a < b", "#if A < 2", "template <int N, int M = 3>", '  x = f("a < b");  // 7 + 1', "/// 1 + 1",
                     "  case 3: return x;", '  text = "a" + name;', "  auto operator=(X) = delete;"]:
            self.assertEqual({rule for rule, _ in made(line)} - {"statement"}, set(), line)
        self.assertEqual([m.new for m in rules.mutants_of("a.cpp", "/*\n a < b\n*/\nreturn a > b;\n")], ["return a >= b;"])

    def test_lines_are_found_by_content(self):
        block = ["a.cpp", "- return 1;", "+ return 2;", "= why"]
        mutant = rules.parse_list("\n".join(["# remark", *block]), "list")[0]
        self.assertEqual((mutant.file, mutant.reason), ("a.cpp", "why"))
        self.assertEqual(rules.applied(mutant, "x\n  return 1;\n"), "x\n  return 2;\n")
        self.assertEqual(rules.placed(mutant, "x\n  return 1;\n").line, 2)
        for text in ("x", "return 1;\nreturn 1;"):
            with self.assertRaises(ValueError):
                rules.applied(mutant, text)
        with self.assertRaises(ValueError):
            rules.parse_list("a.cpp\n- one\n", "list")

    def test_samples_are_the_same_in_any_order(self):
        mutants = [rules.Mutant("a.cpp", i, str(i), "x", "list") for i in range(50)]
        sample = rules.sample(mutants, 10, 1)
        self.assertEqual(sample, rules.sample(list(reversed(mutants)), 10, 1))
        self.assertEqual(sample, rules.sample(mutants, 20, 1)[:10])
        self.assertNotEqual(sample, rules.sample(mutants, 10, 2))


if __name__ == "__main__":
    unittest.main()
