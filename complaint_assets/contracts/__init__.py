"""Built-in source contracts, one YAML file per feed, and the loader of contract folders."""

from collections.abc import Sequence
from pathlib import Path

from complaint_assets.logic.contract import Contract, build_contract
from resources.yaml_file import UnfitFile, read_yaml

BUILT_IN = Path(__file__).parent


class ContractError(UnfitFile):
    """A contract file is wrong; the message names the file, the key and what is allowed there."""


def load_contracts(folders: Sequence[Path] = ()) -> dict[tuple[str, str], Contract]:
    """Every contract by (channel, source): the built-in ones and those of ``folders``.

    A folder holds ``<channel>/<source>.yaml``.

    Raises:
        ContractError: a folder is missing, a file is wrong, or two files describe the same source.
    """
    contracts: dict[tuple[str, str], Contract] = {}
    files: dict[tuple[str, str], Path] = {}
    for folder in (BUILT_IN, *folders):
        if not folder.is_dir():
            raise ContractError(f"{folder}: no such folder; correct COMPLAINTS_CONTRACTS")
        for file in sorted(folder.glob("*/*.yaml")):
            contract = load_contract(file)
            key = (contract.channel, contract.source)
            if key in files:
                raise ContractError(
                    f"{file}: {'/'.join(key)} is already described by {files[key]}; name it otherwise"
                )
            contracts[key], files[key] = contract, file
    return contracts


def load_contract(file: Path) -> Contract:
    """The contract in ``file``.

    Raises:
        ContractError: it cannot be read, breaks the JSON Schema, contradicts itself, or lies elsewhere.
    """
    data = read_yaml(file, BUILT_IN / "contract.schema.json", ContractError)
    for key, expected in (("channel", file.parent.name), ("source", file.stem)):
        if data[key] != expected:
            raise ContractError(f"{file}: {key}: {data[key]!r} must be {expected!r}, as the file is named")
    try:
        return build_contract(data)
    except ValueError as error:
        raise ContractError(f"{file}: {error}") from error
