from kiok import Dag

dag = Dag("config_values")
dag.task(
    "values",
    "a",
    config={
        "string": "as it is",
        "empty": "",
        "like_a_number": "1.10",
        "yes": "yes",
        "true": True,
        "false": False,
        "int": 10,
        "negative": -7,
        "hexadecimal": 0x1F,
        "largest": 9223372036854775807,
        "smallest": -9223372036854775808,
        "float": 1.5,
        "whole_float": 100.0,
        "huge_float": 1e100,
        "tiny_float": 2.5e-7,
        "null": None,
        "list": [1, "1", True, None, 1.5, (), {}],
        "empty_list": [],
        "empty_map": {},
        "nested": {"zebra": {"y": 1, "x": [{"b": 2, "a": 1}]}, "Apple": False, "ant": "Ä"},
    },
)
