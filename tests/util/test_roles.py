"""Tests of the roles that settings declare in the metadata of their fields."""

from dataclasses import asdict, dataclass, field, fields

import pytest

from nst_tf.util.roles import ROLE, Role, role


@dataclass
class Settings:
    plain: int = 0
    name: str = field(default="run", metadata=role(in_fingerprint=False, old_name="title"))


def test_a_field_carries_the_declared_role():
    declared = {each.name: each.metadata.get(ROLE) for each in fields(Settings)}
    assert declared == {"plain": None, "name": Role(in_fingerprint=False, old_name="title")}


def test_a_role_without_declarations_restricts_nothing():
    flags = {name: value for name, value in asdict(Role()).items() if isinstance(value, bool)}
    assert set(flags) == {"in_fingerprint", "in_run_name", "in_sweep_name", "is_axis", "in_objective", "in_hparams"}
    assert all(flags.values())
    assert Role().method is None


def test_an_unknown_declaration_is_refused():
    with pytest.raises(TypeError, match="in_fingerprints"):
        role(in_fingerprints=False)
