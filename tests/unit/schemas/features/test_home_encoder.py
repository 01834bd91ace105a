"""Which encoder a home goes on with where nobody names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.runtime.environment import settings_environment
from cli.runtime.home_encoder import another_encoder, remember_encoder
from schemas.errors import OperatorError
from schemas.features.of_home import BEFORE
from schemas.settings import Settings, load_settings

OTHER = "efficientnet_lite1"


def test_new_home_has_the_default_and_keeps_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = load_settings({}, home=str(home))
    assert settings.encoder == Settings().encoder
    remember_encoder(settings)
    settings.layout.feature_store.mkdir(parents=True)
    assert load_settings({}, home=str(home)).encoder == Settings().encoder
    assert another_encoder(settings, {}) == ""


@pytest.mark.parametrize("data", ["stores/features", "stores/catalogue"])
def test_home_from_before_goes_on_with_the_encoder_of_then(tmp_path: Path, data: str) -> None:
    (tmp_path / data).mkdir(parents=True)
    assert load_settings({}, home=str(tmp_path)).encoder == BEFORE
    assert load_settings({"VITRINE_ENCODER": OTHER}, home=str(tmp_path)).encoder == OTHER


def test_home_goes_on_with_what_it_was_started_with_until_another_is_named(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    remember_encoder(load_settings({}, home=str(tmp_path), encoder="resnet50", weights=str(weights)))
    settings = load_settings({}, home=str(tmp_path))
    assert (settings.encoder, settings.weights) == ("resnet50", str(weights))
    assert load_settings(settings_environment(settings)) == settings, "as the processes of the home see it"
    named = load_settings({"VITRINE_ENCODER": OTHER}, home=str(tmp_path))
    assert (named.encoder, named.weights) == (OTHER, ""), "weights are of one encoder"
    remember_encoder(named)
    assert load_settings({}, home=str(tmp_path)).encoder == OTHER
    (tmp_path / "vitrine.toml").write_text('encoder = "efficientnet_lite2"')
    assert load_settings({}, home=str(tmp_path)).encoder == "efficientnet_lite2"


def test_who_starts_it_is_told_how_to_change_unless_it_was_named(tmp_path: Path) -> None:
    settings = load_settings({}, home=str(tmp_path), encoder=OTHER)
    line = another_encoder(settings, {})
    assert OTHER in line and f"vitrine build --encoder {Settings().encoder}" in line
    assert another_encoder(settings, {"VITRINE_ENCODER": OTHER}) == ""


def test_file_that_does_not_decode_names_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text("{")
    with pytest.raises(OperatorError, match=r"encoder\.json.*VITRINE_ENCODER"):
        load_settings({}, home=str(tmp_path))
    assert load_settings({"VITRINE_ENCODER": OTHER}, home=str(tmp_path)).encoder == OTHER
