"""The options of a command as typed values: where they come from, and what `--config` does to a model."""

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Any

import pytest

from polyfuse.cli import output
from polyfuse.cli.explain import WITHOUT_MEANING
from polyfuse.cli.options import ModelArguments, PictureArguments, model_options, picture_options
from polyfuse.errors import UsageError
from polyfuse.families.classic import Average
from polyfuse.fusion import FuseOptions

Runner = Callable[..., Any]
MODEL = {
    "model": "auto",
    "weights": None,
    "border": None,
    "config": (),
    "precision": "float32",
    "device": "cpu",
    "threads": None,
}


@dataclass(frozen=True)
class Levelled:
    """A configuration with a number."""

    level: int


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
    given = defaults_of(model_options)
    assert vars(ModelArguments.taken_from(given)) == {
        **given,
        "engine": None,
    }  # which `fuse` alone has an option for
    assert given == MODEL


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


@pytest.mark.parametrize("spelling", [{"border": "zeros"}, {"config": (("border", "zeros"),)}])
def test_border_and_config_are_two_spellings_of_one_thing(spelling: dict[str, Any], fnet_weights: Path) -> None:
    arguments = ModelArguments.taken_from({**MODEL, "weights": fnet_weights, **spelling})
    assert arguments.load(lambda _: None).configuration()["border"] == "zeros"


def test_config_gives_a_number_where_the_model_has_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Average, "choices", {"level": (1, 2)})
    monkeypatch.setattr(Average, "config", Levelled(1), raising=False)
    arguments = ModelArguments.taken_from({**MODEL, "model": "average", "config": (("level", "2"),)})
    assert arguments.load(lambda _: None).config.level == 2


@pytest.mark.parametrize("config", [(("border", "reflect"),), (("level", "1"), ("border", "reflect"))])
def test_border_and_another_config_are_a_usage_error(config: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(UsageError, match="--border asks for border zeros and --config for reflect: drop one"):
        ModelArguments.taken_from({**MODEL, "border": "zeros", "config": config})


def test_config_twice_with_different_values_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--config asks for level 1 and --config for 2: drop one"):
        ModelArguments.taken_from({**MODEL, "config": (("level", "1"), ("level", "2"))})


@pytest.mark.parametrize(
    "verb", ["fuse", *(pytest.param(verb, marks=pytest.mark.slow) for verb in ("explain", "demo"))]
)
def test_config_reaches_the_model_in_every_verb(
    verb: str, polyfuse: Runner, pair: tuple[Path, Path], fnet_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[ModelArguments] = []
    original = ModelArguments.load

    def load(self: ModelArguments, say: Callable[[str], None], **rest: Any) -> Any:
        loaded.append(self)
        return original(self, say, **rest)

    monkeypatch.setattr(ModelArguments, "load", load)
    sources = () if verb == "demo" else pair
    ran = polyfuse(verb, *sources, "--weights", fnet_weights, "--config", "border=reflect", "--border", "reflect")
    assert (ran.code, ran.err) == (0, [])
    assert [arguments.config for arguments in loaded] == [(("border", "reflect"),)]


def test_config_is_in_the_sidecar(polyfuse: Runner, pair: tuple[Path, Path], fnet_weights: Path) -> None:
    polyfuse("fuse", *pair, "--weights", fnet_weights, "--config", "border=reflect")
    assert json.loads(Path("fused.png.json").read_text())["settings"]["config"]["border"] == "reflect"


def test_both_spellings_give_the_same_picture(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    for name, choice in (("1", ("--border", "zeros")), ("2", ("--config", "border=zeros")), ("3", ())):
        polyfuse("fuse", *pair, "--model", "fnet.road", *choice, "-o", f"{name}.png")
    first, second, unchanged = (Path(f"{name}.png").read_bytes() for name in (1, 2, 3))
    assert first == second != unchanged


WRONG_CONFIGS = {
    "no equals sign": (["--config", "x"], "'x' is no KEY=VALUE: write for example border=zeros; `polyfuse models show"),
    "no key": (["--config", "=zeros"], "'=zeros' is no KEY=VALUE"),
    "no value": (["--config", "border="], "'border=' is no KEY=VALUE"),
    "unknown key": (
        ["--model", "fnet.road", "--config", "bordr=zeros"],
        "model fnet.road has no choice of bordr: use border=zeros or border=reflect.",
    ),
    "unknown value": (
        ["--model", "fnet.road", "--config", "border=wrap"],
        "border cannot be 'wrap': use zeros or reflect.",
    ),
    "model without choices": (
        ["--model", "average", "--config", "border=zeros"],
        "model average has no choice of border: drop it.",
    ),
    "two spellings": (
        ["--border", "zeros", "--config", "border=reflect"],
        "--border asks for border zeros and --config for reflect: drop one of them.",
    ),
}


@pytest.mark.parametrize("case", WRONG_CONFIGS)
def test_wrong_config_is_answered_in_one_line(case: str, polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    arguments, words = WRONG_CONFIGS[case]
    ran = polyfuse("fuse", *pair, "--quiet", *arguments)
    assert (ran.code, ran.out) == (2, [])
    assert words in ran.problem
    assert not Path("fused.png").exists()


def test_conflict_is_in_the_json_document(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    ran = polyfuse("fuse", *pair, "--json", "--border", "zeros", "--config", "border=reflect")
    assert json.loads("\n".join(ran.out))["error"]["exit_code"] == ran.code == 2


def test_show_prints_the_choices_of_a_model(polyfuse: Runner) -> None:
    document = json.loads("\n".join(polyfuse("models", "show", "fnet.road").out))
    assert document["choices"] == {"border": ["zeros", "reflect"]}


def test_show_of_a_model_without_choices_prints_none(polyfuse: Runner) -> None:
    assert "choices" not in json.loads("\n".join(polyfuse("models", "show", "average").out))


@pytest.mark.parametrize(
    ("names", "words"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_names_become_words(names: list[str], words: str) -> None:
    assert output.in_words(names, "or") == words
