"""What a page does not say is what the command line takes."""

from dataclasses import fields

from fogcatcher.runs.prepare import is_network_chosen
from fogcatcher.runs.setup import Setup
from fogcatcher.studio import asked
from fogcatcher.studio.doing.training import setup_of


def test_a_choice_that_the_page_leaves_open_is_that_of_a_new_run(tmp_path):
    """Else "auto" would not start from a shipped model: a named network begins anew."""
    setup = setup_of(asked.Train(data="tavern", minutes=1), "tavern", tmp_path)
    for field in fields(Setup):
        if field.name not in ("data", "out", "minutes", "options", "conditions"):
            usual = getattr(Setup("tavern"), field.name)
            assert getattr(setup, field.name) == usual, field.name
    assert not is_network_chosen(setup)
    assert setup.options == Setup("tavern").options
