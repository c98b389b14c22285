"""The choice between runs: the Pareto front against a comparison of all pairs, limits, and the readers' sentences."""

import numpy as np
import pandas
import pytest

from nst_tf.reports.choosing import Choice, choose, front_rows
from nst_tf.reports.table import Column, Table
from nst_tf.util.errors import InputError

CONTENT, RATIO, SSIM = (
    Column("Judged", "judged/content", "lowest"),
    Column("Judged", "judged/style_ratio", "lowest"),
    Column("Judged", "judged/ssim", "highest"),
)
SECONDS = Column("Cost", "seconds", "lowest")


@pytest.fixture
def table():
    """Five runs with scores; the fourth is worse than the second in both scores, and the fifth diverged."""
    frame = pandas.DataFrame(
        {
            "status": ["completed", "converged", "completed", "completed", "diverged"],
            "judged/content": [0.2, 0.5, 0.9, 0.6, 0.1],
            "judged/style_ratio": [0.8, 0.4, 0.1, 0.5, 0.1],
            "judged/ssim": [0.7, 0.9, 0.3, 0.2, 1.0],
            "judged/judge": ["vgg19"] * 5,
            "seconds": [4.0, 3.0, 2.0, 1.0, 0.5],
        }
    )
    return Table(frame, (CONTENT, RATIO, SSIM, SECONDS))


def brute_force_front(costs):
    """Return the rows that no other row dominates, by comparing all pairs."""
    no_worse = (costs[:, None] <= costs[None]).all(axis=2)
    better = (costs[:, None] < costs[None]).any(axis=2)
    return set(np.flatnonzero(~(no_worse & better).any(axis=0)))


def test_the_front_of_content_and_style_is_the_default_choice(table):
    choice = choose(table)
    assert [column.name for column in choice.columns] == ["judged/content", "judged/style_ratio"]
    assert choice.rows == (0, 1, 2)
    assert [choice.mark_of(row) for row in range(5)] == ["front", "front", "front", "", ""]
    assert choice.sentences(table) == (
        "3 of 5 runs are on the Pareto front of content and style ratio, judged by vgg19: "
        "no other run is better in one of them without being worse in the other."
    )


@pytest.mark.parametrize("directions", [("lowest", "lowest"), ("lowest", "highest"), ("highest", "highest")])
def test_the_front_equals_a_comparison_of_all_pairs(directions):
    values = np.random.default_rng(1).integers(0, 12, (80, 2)).astype(float)  # with many ties
    columns = [Column("Judged", name, end) for name, end in zip(("a", "b"), directions, strict=True)]
    frame = pandas.DataFrame(values, columns=["a", "b"]).assign(status="completed")
    signs = [1 if end == "lowest" else -1 for end in directions]
    rows = front_rows(Table(frame, tuple(columns)), *columns)
    assert set(rows) == brute_force_front(values * signs)
    assert list(values[list(rows), 0] * signs[0]) == sorted(values[list(rows), 0] * signs[0])


def test_a_run_that_is_best_in_both_columns_is_the_best_run(table):
    table.frame.loc[1, "judged/content"] = 0.1
    table.frame.loc[1, "judged/style_ratio"] = 0.05
    choice = choose(table)
    assert (choice.rows, choice.mark_of(1)) == ((1,), "best")
    expected = "The best run has the lowest content and the lowest style ratio, judged by vgg19."
    assert choice.sentences(table) == expected


def test_equal_runs_have_no_front(table):
    table.frame["judged/content"] = table.frame["judged/style_ratio"] = 0.5
    choice = choose(table)
    assert choice.rows == ()
    expected = "No run is marked as the best, because the runs are equal in content and style ratio."
    assert choice.sentences(table) == expected


def test_a_given_column_decides_on_the_best_run(table):
    assert choose(table, "seconds").rows == (3,)
    assert choose(table, "judged/ssim").rows == (1,)
    assert choose(table, "judged/ssim").sentences(table) == "The best run has the highest ssim, judged by vgg19."


def test_the_best_run_keeps_a_limit(table):
    choice = choose(table, at_most="judged/content=0.6")
    assert choice.rows == (1,)
    expected = "The best run has the lowest style ratio of the runs with a content of at most 0.6, judged by vgg19."
    assert choice.sentences(table) == expected
    assert choose(table, "seconds", at_most="judged/content=0.5").rows == (1,)
    assert choose(table, "judged/content", at_least="judged/ssim=0.8").rows == (1,)


def test_no_run_is_the_best_if_none_keeps_the_limit(table):
    choice = choose(table, at_most="judged/content=0.1")
    assert choice.rows == ()
    assert choice.sentences(table) == "No run has a content of at most 0.1, so none is marked as the best."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"best": "height"}, "Unknown column --best 'height'; available: judged/content, judged/style_ratio"),
        ({"at_most": "height=3"}, "Unknown column --at-most 'height'; available: judged/content"),
        ({"at_most": "judged/content"}, "--at-most 'judged/content': must be COLUMN=NUMBER"),
        ({"at_least": "judged/content=low"}, "--at-least 'judged/content=low': must be COLUMN=NUMBER"),
        ({"at_most": "judged/content=nan"}, "must be COLUMN=NUMBER"),
        ({"at_most": "seconds=3", "at_least": "seconds=1"}, "both given. Give one of them."),
    ],
)
def test_an_invalid_choice_is_refused(arguments, words, table):
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        choose(table, **arguments)


def test_runs_that_are_not_comparable_have_no_choice(table):
    frame = table.frame.drop(columns="judged/judge")
    plain = Table(frame, tuple(Column(column.group, column.name) for column in table.columns))
    assert choose(plain) == Choice()
    assert choose(plain).sentences(plain) == ""
    with pytest.raises(InputError, match="add --best COLUMN"):
        choose(plain, at_most="seconds=3")
