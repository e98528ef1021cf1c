"""The language of mappings: text in, functions out; files are read by the caller.

``compile`` checks a mapping file and turns it into functions over pages of documents; ``run_tests`` runs the tests that
stand in it; ``load_yaml`` reads any other YAML of a project by the same rules. See ``mappings/README.md``.
"""

from mappings.language.examples import Difference, TestResult, compare, run_tests, run_tests_of
from mappings.language.faults import (
    Fault,
    Inward,
    InwardRecord,
    LocalRef,
    Outward,
    OutwardDoc,
    Ref,
    Skip,
)
from mappings.language.lint import LintError, LintErrors, nearest
from mappings.language.loader import load_yaml
from mappings.language.mapping import Mapping, OutwardHead, compile  # the word for it
from mappings.language.origins import FieldLineage

__all__ = [
    "Difference",
    "Fault",
    "FieldLineage",
    "Inward",
    "InwardRecord",
    "LintError",
    "LintErrors",
    "LocalRef",
    "Mapping",
    "Outward",
    "OutwardDoc",
    "OutwardHead",
    "Ref",
    "Skip",
    "TestResult",
    "compare",
    "compile",
    "load_yaml",
    "nearest",
    "run_tests",
    "run_tests_of",
]
