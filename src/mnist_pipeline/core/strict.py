"""What all parts of params.yaml have in common, and of the files that repeat them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]  # a file's name too
Fraction = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    """No unknown key, no conversion of types, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
