"""The page into which `dvc plots` puts its charts here, with Vega's scripts inside: DVC's own loads them from a server.

The page stands beside .dvc/config.local, which names it by a path relative to that folder. So both move with the
repository, serve every folder below it, and are never in a clone or another worktree, which has DVC's own page until
`make setup` ran there. Were the page named in .dvc/config, DVC would fail wherever it was not written yet.
"""

from pathlib import Path

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import write_durably
from mnist_pipeline.pipeline import dvc_program
from mnist_pipeline.report import vega

NAME = "plots.html"
OPTION = "plots.html_template"
TEMPLATE = Path(__file__).parent / "page" / "plots.html"


def install() -> str:
    """Write the page and tell DVC of it, unless someone chose a page of their own; returns what was done.

    Raises PipelineError outside a repository.
    """
    page = paths.project() / ".dvc" / NAME
    if not page.parent.is_dir():
        raise PipelineError(f"{page.parent}: not found; run this in a clone of the project")
    chosen = dvc_program.run("config", OPTION)
    if chosen not in ("", NAME):
        return f"dvc plots keeps the page that was chosen for it: {chosen}"
    template = TEMPLATE.read_text(encoding="utf-8")
    write_durably(page, template.replace("{{scripts}}", vega.scripts()).encode())
    dvc_program.run("config", "--local", OPTION, NAME)
    return f"dvc plots writes pages that need no network, by {page.relative_to(paths.project())}"
