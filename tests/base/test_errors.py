"""A sentence keeps what it was made of: each reader gets it in words of their own, and copies keep it too."""

import copy
import json
import pickle

import pytest

from fogcatcher.base.errors import Message, UserError, from_json, named, to_json, unknown_name


def shouted(name: str, value: str) -> str:
    return f"<{name.upper()} {value}>"


SAID = Message(
    "{bad:,} are bad{more}: give {@max_bad:{share:.2f}}, {@labels:{rule!r}} or {@best:True}.",
    bad=1234,
    share=0.2,
    rule="no {rule}",  # what a value holds is no template
    more=Message(" of {@limit}"),
)


def test_python_reads_parameters_and_another_reader_their_own_names():
    assert SAID == "1,234 are bad of limit: give max_bad=0.20, labels='no {rule}' or best=True."
    assert SAID.told(shouted) == (
        "1,234 are bad of <LIMIT >: give <MAX_BAD 0.20>, <LABELS 'no {rule}'> or <BEST True>."
    )
    assert SAID.options == ("limit", "max_bad", "labels", "best")


def test_a_table_of_messages_can_say_it_in_another_language():
    error = UserError(Message("{@steps} must be at least {least:g}, not {given}.", given=0, least=1))
    table = {error.template: "{@steps} muss mindestens {least:g} sein, nicht {given}."}
    assert Message(table[error.template], **error.values) == "steps muss mindestens 1 sein, nicht 0."


def test_copies_can_still_be_told():
    copies = [
        copy.deepcopy(SAID),
        pickle.loads(pickle.dumps(SAID)),
        from_json(json.loads(json.dumps(to_json(SAID)))),
    ]
    for again in copies:
        assert again == SAID and again.told(shouted) == SAID.told(shouted)
    assert from_json(to_json("plain {text}")) == "plain {text}"


def test_an_error_says_which_option_to_mend():
    error = UserError(Message("{@resume} it, or choose another {@out}."), about="out")
    assert error.options == ("out", "resume") and str(error) == "resume it, or choose another out."
    again = pickle.loads(pickle.dumps(error))
    assert again.options == error.options and str(again) == str(error)


def test_plain_text_is_no_template():
    error = UserError("the file {@size} is damaged.")
    assert str(error) == error.template == "the file {@size} is damaged."
    assert error.options == () and error.values == {}


def test_an_unknown_name_is_told_with_its_option_and_the_nearest_valid_one():
    with pytest.raises(UserError) as caught:
        named("preset", "ddqm", {"ddpm": 1, "edm": 2}, about="preset")
    assert str(caught.value) == "unknown preset 'ddqm'. Valid: ddpm, edm. Did you mean ddpm?"
    assert caught.value.options == ("preset",) and caught.value.values["given"] == "ddqm"
    other = unknown_name("preset", "zzz", [])
    assert str(other) == "unknown preset 'zzz'. Valid: none." and other.template == caught.value.template
