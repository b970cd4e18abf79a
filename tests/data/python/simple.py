"""Plain types, defaults and signatures."""
def no_parameters(): pass
def untyped(a, b=1, c=None): pass
def numbers(a: int, b: float = 1.5, c: int = -3, d: float = 1e3, e: int = 0x10, f: int = 1_000): pass
def texts(a: str, b: str = "x", c: str = 'it''s' " two", d: str = "tab\t\u00e9\x41\n", e: str = r"raw\n", f: str = """long
text"""): pass
def flags(a: bool, b: bool = True, c: bool = False): pass
def nothing(a: None = None, b: int = None): pass
def containers(a: list, b: dict, c: set, d: tuple, e: frozenset): pass
def container_defaults(a: list = [1, 2, "x"], b: dict = {"k": [1, {"n": None}]}, c: tuple = (1, 2), d: list = []): pass
def positional_only(a: int, /, b: int, *, c: int = 3, d: str): pass
def variadic(a: int, *args, **kwargs): pass
def variadic_typed(*values: int, **options: str): pass
async def asynchronous(url: str, retries: int = 3) -> str: return url
def raw_bytes(a: bytes): pass
class Holder:
    def method(self, a: int, b: str = "x"): pass
def model_names(copy: int, json: str = "x", schema: dict = {}): pass
def anything(a: object, b: "int", c: complex = 1): pass
