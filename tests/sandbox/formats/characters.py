from kiok import Dag

dag = Dag(
    "characters",
    name="東京 \U0001f600",
    description="e\u0301 is not \u00e9; \u2028 and \ufeff stay",
)
dag.task(
    "plain",
    "quotes \" ' ` backslash \\ slash / tab \t return \r newline \n controls \x01\x08\x0c\x1f\x7f\x85 end",
)
dag.livy(
    "encoded",
    "u",
    "f",
    args=["\" ' \\ / \t\r\n\b\f", "\x01\x1f\x7f\x85\u2028\u2029\ufeff", "東京 \U0001f600"],
    conf={"\U0001f600": "astral", "\uff21": "after the surrogates", "é": '"', "z": "\\", "Z": ""},
    config={"ключ \U0001f511": "значение \x02"},
)
