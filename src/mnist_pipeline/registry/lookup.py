"""All versions of a registered model, from a database on this disk without MLflow, whose import takes seconds."""

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from mnist_pipeline.registry import store, tags
from mnist_pipeline.registry.tags import Row, Version

SCHEMA = ("dc11669786a5", 0)  # of the locked MLflow, and no workspaces; any other is for MLflow to read, or to refuse
FOUND = """
SELECT version_num, (SELECT count(*) FROM registered_models WHERE workspace != 'default') FROM alembic_version
"""
VERSIONS = """
SELECT version, run_id, source,
(SELECT json_group_array(alias) FROM registered_model_aliases a
 WHERE (a.workspace, a.name, a.version) = (v.workspace, v.name, v.version)),
(SELECT json_group_object(key, value) FROM model_version_tags t
 WHERE (t.workspace, t.name, t.version) = (v.workspace, v.name, v.version))
FROM model_versions v WHERE name = ? AND current_stage != 'Deleted_Internal'
"""


def all_of(name: str) -> list[Version]:
    """The versions, oldest first, as `versions.all_of` has them, but without a connection.

    Raises PipelineError as a connection does.
    """
    file = store.database()
    if file is not None and (rows := _rows(file, name)) is not None:
        return tags.versions(name, rows, note=True)
    from mnist_pipeline.registry import connection, versions

    with connection.existing():
        return versions.all_of(name)


def _rows(file: Path, name: str) -> list[Row] | None:
    """What the tables say; None where they are not as this expects, or can't be read: MLflow says then why not."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as link:
        if link.execute(FOUND).fetchall() == [SCHEMA]:
            return [
                Row(number, run_id, source, json.loads(aliases), json.loads(named))
                for number, run_id, source, aliases, named in link.execute(VERSIONS, [name])
            ]
    return None
