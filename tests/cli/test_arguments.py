"""The options of a command as typed values."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from polyfuse.cli.explain import WITHOUT_MEANING
from polyfuse.cli.options import ModelArguments, PictureArguments, model_options, picture_options
from polyfuse.fusion import FuseOptions

MODEL = {
    "model": "auto",
    "weights": None,
    "border": None,
    "precision": "float32",
    "device": "cpu",
    "threads": None,
}


def defaults_of(options: Callable[[Any], Any]) -> dict[str, Any]:
    """What click hands a command that is called without any of these options."""
    import click

    @click.command("a test")
    @options
    def command(**values: Any) -> dict[str, Any]:
        return values

    values: dict[str, Any] = command.main([], standalone_mode=False)
    return values


def test_arguments_hold_what_click_gives_and_leave_the_rest() -> None:
    arguments = ModelArguments.taken_from({**MODEL, "threads": 2, "out": Path("x")})
    assert (arguments.model, arguments.threads) == ("auto", 2)
    with pytest.raises(FrozenInstanceError):
        arguments.threads = 3  # type: ignore[misc]


def test_every_option_of_a_model_has_its_field() -> None:
    assert vars(ModelArguments.taken_from(defaults_of(model_options))) == defaults_of(model_options) == MODEL


def test_every_option_of_pictures_has_its_field() -> None:
    assert vars(PictureArguments.taken_from(defaults_of(picture_options))) == defaults_of(picture_options)


def test_picture_options_left_alone_are_the_defaults_of_the_library() -> None:
    assert PictureArguments.taken_from(defaults_of(picture_options)).fuse_options() == FuseOptions()


def test_fields_of_options_that_a_command_lacks_keep_the_default_of_click() -> None:
    values = defaults_of(model_options) | defaults_of(picture_options)
    lacking = {name: value for name, value in values.items() if name not in WITHOUT_MEANING}
    assert ModelArguments.taken_from(lacking) == ModelArguments.taken_from(values)
    assert PictureArguments.taken_from(lacking) == PictureArguments.taken_from(values)


def test_missing_option_without_a_default_is_seen() -> None:
    with pytest.raises(TypeError, match="device"):
        ModelArguments.taken_from({name: value for name, value in MODEL.items() if name != "device"})
