"""Read book/concordance.yml and say where it and the executed book disagree."""

from pathlib import Path

import yaml

FILE = Path(__file__).resolve().parents[1] / "concordance.yml"
KINDS = ("definition", "theorem", "phenomenon", "beyond the chapter")
STATUS = ("checked", "planned", "out of scope")
ALWAYS = {"id", "kind", "statement", "source", "chapter", "status"}
WHEN = {
    "checked": {"page", "anchor", "functions", "tests", "witnesses"},
    "planned": set(),
    "out of scope": {"reason"},
}
WITNESS = "dsnnlib-witness"  # as dsnnlib.witness marks its records


def load(path=FILE):
    """The items, a list of dicts in the order of the paper."""
    return yaml.safe_load(Path(path).read_text(encoding="utf8"))


def records(executed):
    """{witness id: (docname, record)} of the executed notebooks; refuse an id used twice."""
    found = {}
    for docname, notebook in executed.items():
        for record in notebook["witnesses"]:
            if record["id"] in found:
                raise ValueError(f"witness {record['id']} stands twice in the book")
            found[record["id"]] = (docname, record)
    return found


def problems(items, found):
    """Every disagreement between the concordance and the witnesses, one sentence each."""
    yield from _form(items)
    claimed = {}
    for item in items:
        for witness in item.get("witnesses", []):
            if witness in claimed:
                yield f"{witness}: claimed by {claimed[witness]} and {item['id']}"
            claimed[witness] = item["id"]
            if witness not in found:
                yield f"{item['id']}: no page has the witness {witness}"
            elif found[witness][0] != item.get("page"):
                place = found[witness][0]
                yield f"{item['id']}: {witness} stands on {place}, not {item.get('page')}"
    for witness, (docname, record) in found.items():
        if witness not in claimed:
            yield f"{docname}: the concordance does not know the witness {witness}"
        if record["tolerance"] > 0 and not record["why"]:
            yield f"{docname}: {witness} has a tolerance but does not say where it comes from"


def _form(items):
    seen = set()
    for item in items:
        name = item.get("id", "?")
        if name in seen:
            yield f"{name}: the id is used twice"
        seen.add(name)
        if item.get("status") not in STATUS:
            yield f"{name}: status is {item.get('status')!r}; it must be one of {STATUS}"
            continue
        needed = ALWAYS | WHEN[item["status"]]
        for field in sorted(needed):
            if not item.get(field):
                yield f"{name}: {field} is missing"
        for field in sorted(set(item) - needed - {"experiments", "note"}):
            yield f"{name}: {field} does not belong to a statement that is {item['status']}"
        if item.get("kind") not in KINDS:
            yield f"{name}: kind is {item.get('kind')!r}; it must be one of {KINDS}"
