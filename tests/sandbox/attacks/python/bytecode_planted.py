# tries: creates compiled code for a module that its siblings import
# expect: Permission denied
import os

folder = os.path.dirname(os.path.abspath(__file__))
os.mkdir(f"{folder}/__pycache__")
