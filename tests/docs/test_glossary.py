"""The glossary stays short."""

from pathlib import Path

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
MOST_TERMS = 30


def test_the_glossary_has_at_most_30_terms_in_alphabetical_order():
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    terms = [line.split("**")[1] for line in lines if line.startswith("| **")]
    assert 0 < len(terms) <= MOST_TERMS
    assert terms == sorted(terms, key=str.lower)
