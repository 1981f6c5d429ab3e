"""Write the generated pages: the systems and their evidence, one reference page for each module, the index of methods.

Fails, and says where, if a public name has no docstring. Run by `make docs` before mkdocs.
"""

import ast
import re
import sys
from pathlib import Path

from rlft.reproduce import catalogue_page, method_tags, methods_compared, reinforced, results
from rlft.reproduce import page as system_page
from rlft.tool.claims import figure_of

ROOT = Path(__file__).parents[1]
SOURCE, DOCS = ROOT / "src" / "rlft", ROOT / "docs"


def main() -> None:
    missing = [line for path in sorted(SOURCE.rglob("*.py")) for line in undocumented(path)]
    if missing:
        sys.exit("undocumented public names:\n  " + "\n  ".join(missing))
    public = [path for path in sorted(SOURCE.rglob("*.py")) if path.stem == "__init__" or not path.stem.startswith("_")]
    pages = [write_reference(path) for path in public]
    for page in {*(DOCS / "reference").glob("rlft*.md")} - {*pages}:
        page.unlink()  # of a module that is no more
    (DOCS / "reference" / "index.md").write_text(reference_index(pages))
    (DOCS / "methods.md").write_text(methods_index())
    write_evidence()
    for name, page in (("README", "start"), ("CONTRIBUTING", "contributing"), ("CHANGELOG", "changelog")):
        (DOCS / f"{page}.md").write_text(relinked((ROOT / f"{name}.md").read_text()))
    print(f"{len(pages)} reference pages")


def write_evidence() -> None:
    """The front page, those read off all results, a page and a picture for each: kept, to be read without a build."""
    (DOCS / "index.md").write_text(catalogue_page.markdown())
    (DOCS / "taxonomy.md").write_text(reinforced.markdown())
    (DOCS / "which_method.md").write_text(methods_compared.markdown())
    folder = DOCS / "evidence"
    folder.mkdir(exist_ok=True)
    for path in sorted(results.FOLDER.glob("*.json")):
        result = results.read(path)
        (folder / f"{path.stem}.md").write_text(system_page.committed(result))
        (folder / f"{path.stem}.svg").write_text(figure_of(result))


def relinked(text: str) -> str:
    """A page of the project's top folder, its links as they are inside docs/."""
    text = re.sub(r"\]\(docs/", "](", text).replace("](CONTRIBUTING.md)", "](contributing.md)")
    return re.sub(r"\]\(src/rlft/([\w/]+)\.py\)", lambda m: f"](reference/rlft.{m[1].replace('/', '.')}.md)", text)


def reference_index(pages: list[Path]) -> str:
    """Every module with its first line."""
    lines = ["# Reference", "", "Every module, from its docstrings.", ""]
    for page in pages:
        module = page.stem
        path = SOURCE.joinpath(*module.split(".")[1:])
        source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        first = (ast.get_docstring(ast.parse(source.read_text())) or "").split("\n")[0]
        lines.append(f"- [`{module}`]({page.name}): {first}")
    return "\n".join(lines) + "\n"


def undocumented(path: Path) -> list[str]:
    """Modules, classes and functions of a file that are public and have no docstring."""
    tree, name = ast.parse(path.read_text()), path.relative_to(SOURCE)
    public = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef) and not n.name.startswith("_")]
    found = [] if ast.get_docstring(tree) else [f"{name}"]
    return found + [f"{name}: {node.name}" for node in public if not ast.get_docstring(node)]


def write_reference(path: Path) -> Path:
    """A page that pulls one module's docstrings."""
    parts = ("rlft", *path.relative_to(SOURCE).with_suffix("").parts)
    module = ".".join(part for part in parts if part != "__init__")
    page = DOCS / "reference" / f"{module}.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(f"# {module}\n\n::: {module}\n")
    return page


def methods_index() -> str:
    """Every method: what it is made of in one table, then each one's first line, its equations, and where it stands."""
    lines = [
        "# Methods",
        "",
        "One file each in `src/rlft/methods`. A method is a value made of parts, and none knows what kind of model it",
        "trains. On the command line: `--method NAME`, its arguments as `--method.clip 0.1`.",
        "",
        *method_tags.table(),
        "",
    ]
    for path in sorted((SOURCE / "methods").glob("*.py")):
        if path.stem == "__init__":
            continue
        first, _, rest = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")
        lines += [f"## {path.stem}", "", first, "", *as_markdown(rest), ""]
        lines += [f"[Source and arguments](reference/rlft.methods.{path.stem}.md)", ""]
    return "\n".join(lines)


def as_markdown(text: str) -> list[str]:
    """A docstring's body: indented equations are code blocks already."""
    return text.strip("\n").splitlines()


if __name__ == "__main__":
    main()
