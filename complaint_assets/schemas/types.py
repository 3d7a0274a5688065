"""Column types shared by every table model, and what is derived from a model.

A Pandera model is the one definition of a table. The Arrow schema that writes it, the DDL of the
warehouse and the column list shown in the UI are read from the model here and written nowhere else.
"""

from typing import Annotated, Any

import pandas as pd
import pandera.pandas as pdr
import pyarrow as pa

String = Annotated[pd.ArrowDtype, pa.string()]
Strings = Annotated[pd.ArrowDtype, pa.list_(pa.string())]
Dates = Annotated[pd.ArrowDtype, pa.list_(pa.date32())]
Integer = Annotated[pd.ArrowDtype, pa.int64()]
Real = Annotated[pd.ArrowDtype, pa.float64()]
Boolean = Annotated[pd.ArrowDtype, pa.bool_()]
Date = Annotated[pd.ArrowDtype, pa.date32()]
Timestamp = Annotated[pd.ArrowDtype, pa.timestamp("us", tz="UTC")]

CHANNELS = ("social", "sms", "whatsapp", "call_centre", "web_form", "survey")
STREAMING_CHANNELS = ("social", "sms", "whatsapp")
"""Channels whose slots are hours; the others have daily slots."""

PSEUDONYM = 26
"""Length of every pseudonym: 130 bits of a keyed hash in lower-case base32."""


class Table(pdr.DataFrameModel):
    """Base of every table model: exactly the declared columns, validated as Arrow-backed pandas."""

    class Config:
        strict = True


def pseudonym(description: str, *, nullable: bool = False, unique: bool = False) -> Any:
    """A column holding a keyed pseudonym of fixed length."""
    return pdr.Field(
        str_length={"min_value": PSEUDONYM, "max_value": PSEUDONYM},
        nullable=nullable,
        unique=unique,
        description=description,
    )


def column(description: str, *, nullable: bool = False, **checks: Any) -> Any:
    """A described column; ``checks`` are Pandera's (isin, ge, le, str_matches, unique)."""
    return pdr.Field(nullable=nullable, description=description, **checks)


def arrow_schema(model: type[Table]) -> pa.Schema:
    """The Arrow schema of ``model``: names, types and nullability in declared order."""
    return pa.schema(
        [
            pa.field(name, col.dtype.type.pyarrow_dtype, nullable=col.nullable)
            for name, col in model.to_schema().columns.items()
        ]
    )


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """``table`` as Arrow-backed pandas, the form that the models validate."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def from_pandas(frame: pd.DataFrame, model: type[Table]) -> pa.Table:
    """``frame`` as Arrow with exactly the columns and types of ``model``, by name.

    Raises:
        KeyError: a declared column is missing.
        pyarrow.ArrowInvalid: a value does not fit its declared type.
    """
    schema = arrow_schema(model)
    return pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)


_DUCKDB = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.list_(pa.date32()): "DATE[]",
}


def duckdb_columns(model: type[Table]) -> list[tuple[str, str, bool, str]]:
    """Each column of ``model`` as (name, DuckDB type, nullable, description), in declared order."""
    return [
        (name, _DUCKDB[col.dtype.type.pyarrow_dtype], col.nullable, col.description or "")
        for name, col in model.to_schema().columns.items()
    ]
