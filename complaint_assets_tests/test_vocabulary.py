"""The version of what masks: it moves when, and only when, something moves that can change a masked text."""

from pathlib import Path

from complaint_assets.assets.standardised import MASKING, standardised_assets
from complaint_assets.vocabulary import masking_version


def test_the_masking_version_moves_with_words_brands_country_and_profile(tmp_path: Path) -> None:
    plain = masking_version("strict", "NG", ["zedmobile"], [tmp_path])
    assert masking_version("strict", "NG", ["zedmobile"], [tmp_path]) == plain
    (tmp_path / "more.txt").write_text("fibre\n")
    worded = masking_version("strict", "NG", ["zedmobile"], [tmp_path])
    (tmp_path / "more.txt").write_text("fibre\nrouter\n")
    found = [
        plain,
        worded,
        masking_version("strict", "NG", ["zedmobile"], [tmp_path]),
        masking_version("strict", "NG", ["other"], [tmp_path]),
        masking_version("strict", "KE", ["zedmobile"], [tmp_path]),
        masking_version("analytic", "NG", ["zedmobile"], [tmp_path]),
    ]
    assert len(set(found)) == len(found)
    analytic = masking_version("analytic", "NG", ["zedmobile"])
    assert found[-1] == analytic, "approved words mean nothing to the analytic profile"


def test_the_code_version_of_standardised_tells_what_masked_it() -> None:
    for asset in standardised_assets:
        assert MASKING in (asset.code_versions_by_key[asset.key] or "")
        assert asset.metadata_by_key[asset.key]["masking"] == MASKING
