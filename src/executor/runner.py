"""Calls one plain function for reeve: `python -u -c START FILE FUNCTION`, or `python -u -c START MODULE FUNCTION module`.

START (`handed.rs`) reads this text, `handed["values"]` (`values.py`) and `handed["parameters"]`. What the function returns (small JSON), or
the exception that it raised, goes to the unnamed file whose descriptor is REEVE_RESULT_DESCRIPTOR. Must run on Python 3.8, and must never
import anything of the user's but the file itself.
"""
import sys


def signature_of(function):
    """Its parameters by name."""
    import inspect

    try:
        return inspect.signature(function).parameters
    except NameError:
        import annotationlib  # 3.14: an annotation names what only type checkers know

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF).parameters


def run(given, path, dotted, module_name=None):
    import json
    import os

    # Not the directory of the interpreter's -c: what the file would see if it were run itself, then the project.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    def locate():
        """The file of the module in this directory or its `src`; of one that is installed, its name."""
        parts = module_name.split(".")
        for root in (os.getcwd(), os.path.join(os.getcwd(), "src")):
            if os.path.exists(os.path.join(root, parts[0])) or os.path.isfile(os.path.join(root, parts[0] + ".py")):
                sys.path.insert(0, root)
                for ending in (".py", os.sep + "__init__.py"):
                    file = os.path.join(root, *parts) + ending
                    if os.path.isfile(file):
                        return file
                break
        return module_name

    if module_name:
        sys.path.insert(0, os.getcwd())
        path = locate()
    else:
        sys.path[:0] = list(dict.fromkeys([os.path.dirname(os.path.abspath(path)), os.getcwd()]))
    sys.argv[:] = [path]

    # Of this process alone: programs that it starts neither inherit it nor hear of it.
    descriptor = int(os.environ.pop("REEVE_RESULT_DESCRIPTOR", "-1"))
    try:
        os.set_inheritable(descriptor, False)
        same = os.fstat(descriptor)
        os.write(descriptor, b" ")  # Nothing to JSON, but a Python is here.
    except OSError:
        same = None

    def say(text, level, stream):
        """Lines of the run's log with their level. Where the program has put another stream in place, as they are."""
        mark = "\x1b_reeve;level=%d\x1b\\" % level if stream in (sys.__stdout__, sys.__stderr__) else ""
        try:
            stream.write("".join(mark + line + "\n" for line in text.splitlines()))
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass

    def leave(**result):
        text = json.dumps(result, allow_nan=False)
        if len(text) > 8192:
            return say("reeve: the return value is not kept: as JSON it is %d bytes, more than 8192" % (len(text) - len('{"value": }')), 20, sys.stdout)
        try:
            # The function may have closed it, and opened something else in its place.
            if same is None or not os.path.samestat(os.fstat(descriptor), same):
                raise OSError("its file was closed")
            os.write(descriptor, text.encode())
        except OSError as error:
            say("reeve: the result was not kept: %s" % error, 30, sys.stderr)

    def refuse(message):
        say("reeve: " + message, 40, sys.stderr)
        leave(exception=message)
        raise SystemExit(1)

    def refuse_flow():
        refuse(
            "%s in %s is a Prefect flow; this version of reeve runs plain functions: remove the @flow decorator, "
            "or run it as a command of a program that calls it" % (dotted, path)
        )

    def is_flow():
        """Read from the source, so that it can be said where Prefect is not installed. What the source does not tell, `find` does."""
        import ast

        try:
            with open(path, "rb") as file:
                tree = ast.parse(file.read())
        except (OSError, SyntaxError, ValueError, RecursionError):
            return False
        names, modules = set(), set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "prefect":
                names.update(name.asname or name.name for name in node.names if name.name == "flow")
            elif isinstance(node, ast.Import):
                modules.update(name.asname or name.name for name in node.names if name.name == "prefect")
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == dotted:
                for decorator in node.decorator_list:
                    while isinstance(decorator, ast.Call):
                        decorator = decorator.func
                    if isinstance(decorator, ast.Name) and decorator.id in names:
                        return True
                    if isinstance(decorator, ast.Attribute) and decorator.attr == "flow" and getattr(decorator.value, "id", None) in modules:
                        return True
        return False

    def load():
        import importlib.util

        if module_name:
            try:
                return importlib.import_module(module_name)
            except ModuleNotFoundError as error:
                # Not of something that the module itself imports.
                if error.name and (module_name + ".").startswith(error.name + "."):
                    refuse("there is no module %s in %s, nor among the packages of %s" % (module_name, os.getcwd(), sys.executable))
                raise
        if not os.path.isfile(path):
            refuse("%s does not exist" % path if not os.path.exists(path) else "%s is not a file" % path)
        name = os.path.splitext(os.path.basename(path))[0]
        if name in sys.modules or not name.isidentifier():
            name = "reeve_flow"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            from importlib.machinery import SourceFileLoader

            spec = importlib.util.spec_from_loader(name, SourceFileLoader(name, path))
        module = importlib.util.module_from_spec(spec)
        # Known by its name, so that what it defines can be pickled.
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    def find(module):
        found = module
        for part in dotted.split("."):
            if not hasattr(found, part):
                names = sorted(n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", None) == module.__name__)
                refuse("%s has no function %s%s" % (path, dotted, "; it has " + ", ".join(names[:10]) if names else ""))
            found = getattr(found, part)
        kinds = [(kind.__module__ or "", kind.__name__) for kind in type(found).__mro__]
        if any(module.split(".")[0] == "prefect" and name == "Flow" for module, name in kinds):
            refuse_flow()
        if not callable(found):
            refuse("%s in %s is not a function but %s" % (dotted, path, type(found).__name__))
        return found

    def bind(function, given):
        """The arguments of the call: what is given, as the annotations say."""
        import inspect

        try:
            parameters = list(signature_of(function).values())
        except (TypeError, ValueError):
            return [], given
        by_name = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        further = {p.kind: p for p in parameters if p not in by_name}
        several, open_ended = further.get(inspect.Parameter.VAR_POSITIONAL), further.get(inspect.Parameter.VAR_KEYWORD)
        if several is not None and not isinstance(given.get(several.name), list):
            several = None
        known = {p.name: p for p in by_name + [several] * (several is not None)}
        missing = [p.name for p in by_name if p.default is p.empty and p.name not in given]
        unexpected = [] if open_ended else [name for name in given if name not in known]
        problems = []
        if missing[:1] == ["self"] and "." in dotted:
            refuse("%s is a method of instances of its class: a run has none to give it as self; name a function that calls it" % dotted)
        if missing:
            problems.append("missing: " + ", ".join(missing))
        if unexpected:
            problems.append("unexpected: " + ", ".join(unexpected))
        if problems:
            refuse("parameters of %s do not fit (%s); it takes: %s" % (dotted, "; ".join(problems), ", ".join(p.name for p in by_name) or "none"))
        named = fitted(function, given, known, several, open_ended)
        positional = []
        for p in by_name:
            if p.kind == p.POSITIONAL_ONLY or several is not None and p.kind == p.POSITIONAL_OR_KEYWORD:
                positional.append(named.pop(p.name) if p.name in named else p.default)
        return positional + (named.pop(several.name) if several is not None else []), named

    def fitted(function, given, known, several, open_ended):
        import inspect

        if all(known.get(name, open_ended).annotation is inspect.Parameter.empty for name in given):
            return dict(given)
        exec(handed["values"], globals())
        values, names, found = Values(), namespace(function), {}
        try:
            for name, value in given.items():
                p = known.get(name, open_ended)
                kind = typing.Any if p.annotation is p.empty else resolved(p.annotation, names)
                if p is open_ended and getattr(typing.get_origin(kind), "_name", None) == "Unpack":
                    kind = fields_of(typing.get_args(kind)[0]).get(name, typing.Any)
                if p is several:
                    found[name] = [values.fit(item, kind, (name, number)) for number, item in enumerate(value)]
                else:
                    # `day: date = None` says that it may be None without saying it.
                    found[name] = value if value is None and p.default is None else values.fit(value, kind, (name,))
        except Misfit as misfit:
            if misfit.__cause__ is not None and not isinstance(misfit.__cause__, ValueError):
                raise misfit.__cause__ from None  # The program's own fault: its traceback tells where.
            refuse(str(misfit))
        return found

    async def drain(generator):
        async for _ in generator:
            pass

    async def wait(awaitable):
        value = await awaitable
        return await drain(value) if hasattr(value, "__aiter__") else value

    def keep_levels():
        """Records of `logging` keep their levels in the run's log, in order with what is printed; INFO and above unless the file says
        otherwise. Whoever configures `logging` keeps the text that was configured; handlers that write elsewhere are left alone."""
        import logging

        logging.getLogger().setLevel(logging.INFO)
        logging.lastResort.setLevel(logging.NOTSET)
        ours = [stream for stream in (sys.__stdout__, sys.__stderr__) if stream is not None]
        emit, plain, named = logging.StreamHandler.emit, logging.Formatter(), logging.Formatter("%(name)s: %(message)s")

        def emit_with_level(handler, record):
            if sys.__stdout__ is None or not any(handler.stream is stream for stream in ours):
                return emit(handler, record)
            try:
                # Python's own format says the level, which the log has beside the line.
                default = handler.formatter is None or handler.formatter._fmt == logging.BASIC_FORMAT
                text = ((plain if record.name == "root" else named) if default else handler.formatter).format(record)
                mark = "\x1b_reeve;level=%d\x1b\\" % min(max(record.levelno // 10 * 10, 10), 50)
                sys.__stdout__.write("".join(mark + line + "\n" for line in text.split("\n")))
                sys.__stdout__.flush()
            except RecursionError:
                raise
            except Exception:
                handler.handleError(record)

        logging.StreamHandler.emit = emit_with_level

    def call(function, positional, named):
        import inspect

        value = function(*positional, **named)
        if inspect.isawaitable(value) or inspect.isasyncgen(value):
            import asyncio

            value = asyncio.run(wait(value) if inspect.isawaitable(value) else drain(value))
        while inspect.isgenerator(value):
            try:
                while True:
                    next(value)
            except StopIteration as stop:
                value = stop.value
        return value

    def headline(error):
        """Type and first line, as the traceback has them at its end; of Pydantic's errors also the first place."""
        import traceback

        lines = "".join(traceback.format_exception_only(type(error), error)).splitlines()
        lines = [line.strip() for line in lines if line.strip()] or [type(error).__name__]
        if isinstance(error, SyntaxError):  # The place comes first.
            return next((line for line in lines if line.startswith(type(error).__name__)), lines[-1])
        if type(error).__name__ == "ValidationError":
            return ": ".join(lines[:3])
        return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]

    def report(error):
        import traceback

        def is_own(entry):
            return entry.tb_frame.f_globals is globals() and entry.tb_frame.f_code.co_name != "emit_with_level"

        # What called the user's code, asyncio between these frames included; what loaded its file.
        frame = entry = error.__traceback__
        while entry is not None:
            frame = entry.tb_next if is_own(entry) else frame
            entry = entry.tb_next
        while frame is not None and frame.tb_frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.tb_next
        leave(exception=headline(error)[:1000])
        try:
            sys.stdout.flush()
        except (OSError, ValueError):
            pass
        say("".join(traceback.format_exception(type(error), error, frame)), 40, sys.stderr)
        raise SystemExit(1)

    def stop_with_cleanup():
        """SIGTERM (a cancel, a timeout) leaves the function by an exception, so that `finally` and `with` do their work within the grace;
        asyncio cancels its tasks for it. A handler that the file sets wins; children that are forked have none."""
        import signal

        told = []

        class Terminated(SystemExit):
            pass

        def terminate(number, frame):
            if not told:
                told.append(number)
                raise Terminated(128 + number)

        def undo():
            if signal.getsignal(signal.SIGTERM) is terminate:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def end():
            """By the signal itself: that is what is recorded."""
            if told:
                for stream in (sys.stdout, sys.stderr):
                    try:
                        stream.flush()
                    except (AttributeError, OSError, ValueError):
                        pass
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)

        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, terminate)
            os.register_at_fork(after_in_child=undo)
        return Terminated, end

    Terminated, end = stop_with_cleanup()
    try:
        if is_flow():
            refuse_flow()
        keep_levels()
        function = find(load())
        positional, named = bind(function, given)
        value = call(function, positional, named)
    except Terminated:
        end()
        raise
    except Exception as error:
        try:
            report(error)
        finally:
            end()
    if value is not None:
        try:
            leave(value=value)
        except (TypeError, ValueError, RecursionError) as error:
            say("reeve: the return value is not kept: it is not JSON (%s)" % error, 20, sys.stdout)


run(handed["parameters"], sys.argv[1], sys.argv[2], sys.argv[1] if len(sys.argv) > 3 else None)
