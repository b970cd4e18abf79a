"""Records what Prefect 3.8.8 computes for the samples beside this file: `python record.py` rewrites every `*.json`."""
import importlib.util, inspect, json, pathlib, sys
from prefect import Flow
from prefect.utilities.callables import parameter_schema
here = pathlib.Path(__file__).parent
for path in sorted(here.glob("*.py")):
    if path.name == "record.py":
        continue
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    answers = {}
    def record(name, fn):
        made = fn if isinstance(fn, Flow) else None
        code = fn.fn if made else fn
        answers[name] = {"schema": parameter_schema(code).model_dump_for_openapi(), "docstring": inspect.getdoc(code)}
        if made:
            answers[name]["flow"] = {"name": made.name}
    for name, value in list(vars(module).items()):
        if isinstance(value, Flow) or (inspect.isfunction(value) and value.__module__ == path.stem):
            record(name, value)
        if name == "Holder":
            record("Holder.method", value.method)
    path.with_suffix(".json").write_text(json.dumps(answers, indent=1, default=str) + "\n")
