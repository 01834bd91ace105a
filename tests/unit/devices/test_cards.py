"""What NVIDIA's driver tells of a machine, read as it lies below /dev and /proc."""

from __future__ import annotations

from pathlib import Path

from devices.cards import cards, has_cards


def machine(root: Path, *models: str) -> Path:
    """With that driver's files, as Linux has them."""
    (root / "dev").mkdir()
    (root / "dev" / "nvidiactl").touch()
    for number, model in enumerate(models):
        folder = root / "proc" / "driver" / "nvidia" / "gpus" / f"0000:0{number}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 24\nBus Type: \t PCIe\n")
    return root


def test_machine_without_a_driver_has_no_cards(tmp_path: Path) -> None:
    assert (has_cards(tmp_path), cards(tmp_path)) == (False, "")


def test_cards_are_named_in_the_drivers_order(tmp_path: Path) -> None:
    found = machine(tmp_path, "NVIDIA L4", "NVIDIA H200")
    assert (has_cards(found), cards(found)) == (True, "NVIDIA L4, NVIDIA H200")


def test_driver_that_names_none_still_has_cards(tmp_path: Path) -> None:
    found = machine(tmp_path)
    assert (has_cards(found), cards(found)) == (True, "")


def test_card_that_is_not_told_of_counts_by_its_place(tmp_path: Path) -> None:
    found = machine(tmp_path, "NVIDIA L4")
    information = next(found.glob("proc/driver/nvidia/gpus/*/information"))
    information.unlink()
    information.mkdir()
    assert cards(found) == "0000:00:00.0"
