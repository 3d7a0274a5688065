"""A person is erased from a raw lake in a bucket that keeps every version of an object."""

from pathlib import Path

import boto3

from complaint_assets_tests.conftest import Home
from complaint_assets_tests.privacy.deliveries import ADA, OTHERS, put, sms, yesterday
from complaint_assets_tests.resources.conftest import S3

BUCKET = "erased"


def versions() -> dict[tuple[str, str], bytes]:
    """Every version of every object in the bucket."""
    client = boto3.client("s3")
    pages = client.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    return {
        (item["Key"], item["VersionId"]): client.get_object(
            Bucket=BUCKET, Key=item["Key"], VersionId=item["VersionId"]
        )["Body"].read()
        for page in pages
        for item in page.get("Versions", ())
    }


def test_no_version_of_an_object_tells_of_the_person_and_others_stay(s3: S3, tmp_path: Path) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    home, day = Home(tmp_path / "home", {"COMPLAINTS_LAKE": f"s3://{BUCKET}/lake"}), yesterday()
    ada, obi = ADA, OTHERS[0]
    both = sms("s1", ada, f"{day} 10:00:00", "no network") + sms("s2", obi, f"{day} 10:00:00", "charged twice")
    alone = sms("s3", ada, f"{day} 11:00:00", "still no network")
    put(home.path / "inbox" / "sms" / "gateway" / f"{day}T10" / "both.jsonl", both)
    put(home.path / "inbox" / "sms" / "gateway" / f"{day}T11" / "alone.jsonl", alone)
    home.complaints("run")
    mark = ada[4:].encode()
    assert sum(mark in content for content in versions().values()) == 2

    (erased,) = home.complaints("erase", "--identifier", f"phone:{ada}", "--operator", "dpo")
    assert (erased["left"], erased["rows_left"]) == (0, 0)
    left = versions()
    assert not any(mark in content or mark.decode() in key for (key, _), content in left.items())
    assert any(obi[4:].encode() in content for content in left.values())
    assert home.rows()["complaints"] == 1
    assert home.complaints("run") == []
    assert home.complaints("lake", "verify")
