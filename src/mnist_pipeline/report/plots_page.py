"""The page into which `dvc plots` puts its charts here, with Vega's scripts inside: DVC's own loads them from a server.

The page stands beside .dvc/config.local, which names it by a path relative to that folder. So both move with the
repository, serve every folder below it, and are never in a clone or another worktree, which has DVC's own page until
`make setup` ran there. Were the page named in .dvc/config, DVC would fail wherever it was not written yet.
"""

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import write_durably
from mnist_pipeline.pipeline import dvc_program
from mnist_pipeline.report import vega

NAME = "plots.html"
OPTION = "plots.html_template"
HEAD = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  {refresh_tag}
  <title>Plots</title>
  <style>
    body { margin: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #1b1c1f; background: #fff; }
    body > div { max-width: 100%; margin-bottom: 1rem; overflow-x: auto; }
    img { max-width: min(90vw, 36rem); }
    table { border-spacing: 1rem .25rem; }
  </style>
  <script>"""
TAIL = """
    const embed = vegaEmbed, actions = { export: true, source: false, compiled: false, editor: false };
    // DVC's charts name version 5 of Vega-Lite as their schema; what is here draws them too
    window.vegaEmbed = (host, { $schema, ...spec }) => embed(host, spec, { mode: "vega-lite", actions });
  </script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


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
    write_durably(page, f"{HEAD}{vega.scripts()}{TAIL}".encode())
    dvc_program.run("config", "--local", OPTION, NAME)
    return f"dvc plots writes pages that need no network, by {page.relative_to(paths.project())}"
